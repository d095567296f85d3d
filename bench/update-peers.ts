import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Background } from './background.ts';
import type { DebianTrees } from './debian-trees.ts';
import { type Measured, quoted, type Workshop } from './workshop.ts';

/** What bringing one tree from a state to the next took. */
export interface Update {
  name: string;
  client: Measured;
  /** Bytes over the wire, both ways where they are known, and requests. */
  bytes: number;
  requests?: number;
  /** CPU seconds of the server for this client; and for a second one. */
  server?: number;
  further?: number;
}

const ports = { imprint: 18_741, static: 18_742, rsync: 18_743 } as const;
const node = process.execPath;
const here = fileURLToPath(new URL('.', import.meta.url));

/** Imprint: captured, served; the bundle is made when the first client asks; a second one fetches the same. */
export async function imprintUpdate(workshop: Workshop, name: string, trees: DebianTrees): Promise<Update> {
  const directory = workshop.empty(name);
  const ours = workshop.ours(name);
  const everything = '--name bench --no-default-excludes --keep-secrets --no-snapshot';
  for (const tree of [trees.before, trees.after]) workshop.run(`${ours} capture ${quoted(tree)} ${everything}`);
  const store = join(directory, 'store');
  const from = (JSON.parse(readFileSync(join(store, 'images/bench/1.json'), 'utf8')) as { digest: string }).digest;
  const manifest = join(store, 'manifests', `${from.slice('sha256:'.length)}.manifest`);
  await using server = await Background.start(
    workshop.imprint,
    ['--data', join(directory, 'data'), '--store', store, 'serve', '--listen', `127.0.0.1:${ports.imprint}`],
    ports.imprint,
  );
  const url = `http://127.0.0.1:${ports.imprint}/store`;
  const results: { measured: Measured; server: number }[] = [];
  for (let client = 1; client <= 2; client += 1) {
    const target = join(workshop.empty(`${name}-target`), 'tree');
    workshop.run(`cp -a ${quoted(trees.before)} ${quoted(target)}`);
    const words = [url, from, 'bench', manifest, trees.before, target, directory].map(quoted).join(' ');
    const before = server.cpu();
    const program = join(here, 'update-client.ts');
    const measured = workshop.measure(
      `${name}: update, client ${client}`,
      `${quoted(node)} --disable-warning=ExperimentalWarning ${quoted(program)} ${words}`,
    );
    results.push({ measured, server: server.cpu() - before });
    if (client === 2)
      workshop.run(
        `rsync -aHAXn --delete -i ${quoted(`${trees.after}/`)} ${quoted(`${target}/`)} | tee ${quoted(join(directory, 'differs'))}`,
      );
  }
  const differs = readFileSync(join(directory, 'differs'), 'utf8');
  if (differs !== '') throw new Error(`the updated tree is not what it should be:\n${differs.slice(0, 1000)}`);
  workshop.remove(`${name}-target`);
  const sent = JSON.parse(readFileSync(join(directory, 'transferred.json'), 'utf8')) as {
    bytes: number;
    requests: number;
  };
  const [first, second] = results;
  if (first === undefined || second === undefined) throw new Error('there were two clients');
  return { name: 'imprint', client: second.measured, ...sent, server: first.server, further: second.server };
}

/** rsync -z against a daemon, onto a copy of the old tree. */
export async function rsyncUpdate(workshop: Workshop, trees: DebianTrees): Promise<Update> {
  const directory = workshop.empty('rsync');
  const target = join(directory, 'tree');
  workshop.run(`cp -a ${quoted(trees.before)} ${quoted(target)}`);
  const configuration = join(directory, 'rsyncd.conf');
  const lines = ['use chroot = no', `port = ${ports.rsync}`, 'address = 127.0.0.1', 'uid = 0', 'gid = 0'];
  writeFileSync(configuration, `${lines.join('\n')}\n[after]\npath = ${trees.after}\nread only = yes\n`);
  await using server = await Background.start(
    'rsync',
    ['--daemon', '--no-detach', `--config=${configuration}`],
    ports.rsync,
  );
  const statistics = join(directory, 'statistics');
  const before = server.cpu();
  const client = workshop.measure(
    'rsync -z: update',
    `rsync -aHAXz --numeric-ids --delete --stats rsync://127.0.0.1:${ports.rsync}/after/ ${quoted(`${target}/`)} > ${quoted(statistics)}`,
  );
  const used = server.cpu() - before;
  const text = readFileSync(statistics, 'utf8');
  const number = (label: string) => Number(new RegExp(`${label}: ([\\d,]+)`).exec(text)?.[1]?.replaceAll(',', ''));
  workshop.remove('rsync');
  return {
    name: 'rsync -z',
    client,
    bytes: number('Total bytes sent') + number('Total bytes received'),
    server: used,
    further: used,
  };
}

/** A peer that fetches from a plain web server: `make` prepares what is served in a directory, `fetch` updates from its URL. */
async function servedUpdate(
  workshop: Workshop,
  name: string,
  make: (directory: string) => void,
  fetch: (directory: string, url: string) => string,
): Promise<Update> {
  const directory = workshop.empty(name.replaceAll(' ', '-'));
  make(directory);
  const counts = join(directory, 'counts.json');
  rmSync(counts, { force: true });
  const program = join(here, 'static-server.ts');
  await using server = await Background.start(node, [program, directory, String(ports.static), counts], ports.static);
  const before = server.cpu();
  const client = workshop.measure(`${name}: update`, fetch(directory, `http://127.0.0.1:${ports.static}`));
  const used = server.cpu() - before;
  const sent = JSON.parse(readFileSync(counts, 'utf8')) as { requests: number; bytes: number };
  workshop.remove(name.replaceAll(' ', '-'));
  return { name, client, ...sent, server: used, further: used };
}

/** casync with the old tree as its seed. */
export async function casyncUpdate(workshop: Workshop, trees: DebianTrees): Promise<Update> {
  return servedUpdate(
    workshop,
    'casync with seed',
    (directory) => {
      const store = quoted(join(directory, 'repo.castr'));
      workshop.run(
        `casync make --compression=zstd --store=${store} ${quoted(join(directory, 'v2.caidx'))} ${quoted(trees.after)}`,
      );
    },
    (directory, url) =>
      `casync extract --seed=${quoted(trees.before)} --store=${url}/repo.castr ${url}/v2.caidx ${quoted(join(directory, 'target'))}`,
  );
}

/** ostree with the old commit here already: object by object, or by a static delta. Its checkout is hard links, so that nothing more is written. */
export async function ostreeUpdates(workshop: Workshop, trees: DebianTrees): Promise<Update[]> {
  const origin = join(workshop.work, 'ostree-origin');
  mkdirSync(origin, { recursive: true });
  const repository = quoted(join(origin, 'repo'));
  workshop.run(`ostree init --repo=${repository} --mode=archive`);
  for (const tree of [trees.before, trees.after])
    workshop.run(`ostree commit --repo=${repository} --branch=bench --tree=dir=${quoted(tree)}`);
  const updates: Update[] = [];
  for (const delta of [false, true]) {
    updates.push(
      await servedUpdate(
        workshop,
        delta ? 'ostree, static delta' : 'ostree',
        (directory) => {
          const made = quoted(join(directory, 'repo'));
          workshop.run(`cp -al ${repository} ${made}`);
          if (delta) workshop.run(`ostree static-delta generate --repo=${made} --from=bench^ --to=bench`);
          workshop.run(`ostree summary --repo=${made} -u`);
          const client = quoted(join(directory, 'client'));
          workshop.run(`ostree init --repo=${client} --mode=bare`);
          workshop.run(
            `ostree pull-local --repo=${client} ${repository} $(ostree rev-parse --repo=${repository} bench^)`,
          );
          const url = `http://127.0.0.1:${ports.static}/repo`;
          workshop.run(`ostree remote add --repo=${client} --no-gpg-verify origin ${url}`);
        },
        (directory) => {
          const how = delta ? '--require-static-deltas' : '--disable-static-deltas';
          return `ostree pull --repo=${quoted(join(directory, 'client'))} ${how} origin bench`;
        },
      ),
    );
  }
  rmSync(origin, { recursive: true, force: true });
  return updates;
}

/** An OCI image whose second layer holds what changed, as a build on the old image makes it: a client that has the first pulls the second. */
export async function ociUpdate(workshop: Workshop, trees: DebianTrees): Promise<Update> {
  return servedUpdate(
    workshop,
    'OCI layer',
    (directory) => {
      const layer = join(directory, 'layer');
      workshop.run(
        `rsync -aHAX --compare-dest=${quoted(`${trees.before}/`)} ${quoted(`${trees.after}/`)} ${quoted(layer)}`,
      );
      workshop.run(`find ${quoted(layer)} -depth -type d -empty -delete`);
      workshop.run(`tar -C ${quoted(layer)} -cf - . | gzip > ${quoted(join(directory, 'layer.tar.gz'))}`);
      if (existsSync(layer)) rmSync(layer, { recursive: true });
      workshop.run(`cp -a ${quoted(trees.before)} ${quoted(join(directory, 'target'))}`);
    },
    (directory, url) =>
      `curl -sf ${url}/layer.tar.gz | tar -xzpf - --numeric-owner --xattrs -C ${quoted(join(directory, 'target'))}`,
  );
}
