import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Background } from '../background.ts';
import type { DebianTrees } from '../debian-trees.ts';
import { copyToDisk, mountEmptyExt4 } from '../empty-ext4.ts';
import { quoted, type Workshop } from '../workshop.ts';
import { type MeasuredClient, medianClient, ports, type Update } from './update.ts';

const node = process.execPath;
/** As in the script `imprint` that users start, which also keeps what Node made of the sources. */
const flags =
  '--disable-warning=ExperimentalWarning --max-semi-space-size=4 --preserve-symlinks --preserve-symlinks-main';
const program = fileURLToPath(new URL('../update-client.ts', import.meta.url));

/**
 * Imprint: captured, served; the bundle is made when the first machine asks, further ones fetch the same. The last machine's tree is compared in the end. The store
 * is kept beside the trees where `origin` names it.
 */
export async function imprintUpdate(
  workshop: Workshop,
  name: string,
  trees: DebianTrees,
  origin?: string,
): Promise<Update> {
  const directory = workshop.empty(name);
  const captures = (place: string) => {
    const where = `--data ${quoted(join(place, 'data'))} --store ${quoted(join(place, 'store'))} --quiet --yes`;
    const everything = '--name bench --no-default-excludes --keep-secrets --no-snapshot';
    return [trees.before, trees.after].map(
      (tree) => `${quoted(workshop.imprint)} ${where} capture ${quoted(tree)} ${everything}`,
    );
  };
  if (origin === undefined) for (const command of captures(directory)) workshop.run(command);
  const captured = origin === undefined ? directory : workshop.prepared(origin, captures);
  const store = join(captured, 'store');
  // The first machine is to have it made.
  rmSync(join(store, 'bundles'), { recursive: true, force: true });
  const from = (JSON.parse(readFileSync(join(store, 'images/bench/1.json'), 'utf8')) as { digest: string }).digest;
  const manifest = join(store, 'manifests', `${from.slice('sha256:'.length)}.manifest`);
  await using server = await Background.start(
    workshop.imprint,
    ['--data', join(captured, 'data'), '--store', store, 'serve', '--listen', `127.0.0.1:${ports.imprint}`],
    ports.imprint,
  );
  const url = `http://127.0.0.1:${ports.imprint}/store`;
  const clients: MeasuredClient[] = [];
  // The first one has the bundle made: what it takes on the machine is that of every other, what it takes on the server is not.
  for (let number = 0; number <= workshop.runs; number += 1) {
    using slot = mountEmptyExt4(workshop);
    const target = join(slot.directory, 'tree');
    workshop.run(copyToDisk(trees.before, target));
    const words = [url, from, 'bench', manifest, trees.before, target, directory].map(quoted).join(' ');
    const before = server.cpu();
    const client = workshop.measure(
      `${name}: update, machine ${number + 1}`,
      `NODE_COMPILE_CACHE=${quoted(join(directory, 'compiled'))} ${quoted(node)} ${flags} ${quoted(program)} ${words}`,
    );
    clients.push({ client, server: server.cpu() - before });
    workshop.say(`${name}: server ${clients.at(-1)?.server.toFixed(2)} s CPU, ${server.peakMemory().toFixed(0)} MiB`);
    if (number === workshop.runs) requireSame(workshop, trees.after, target, join(directory, 'differs'));
  }
  const sent = JSON.parse(readFileSync(join(directory, 'transferred.json'), 'utf8')) as {
    bytes: number;
    requests: number;
  };
  const [first, ...others] = clients;
  const { client, server: further } = medianClient(others);
  const memory = server.peakMemory();
  const runs = others.length;
  return { name: 'imprint', client, ...sent, server: first?.server ?? Number.NaN, further, memory, runs };
}

function requireSame(workshop: Workshop, wanted: string, made: string, list: string): void {
  workshop.run(`rsync -aHAXn --delete -i ${quoted(`${wanted}/`)} ${quoted(`${made}/`)} | tee ${quoted(list)}`);
  const differs = readFileSync(list, 'utf8');
  if (differs !== '') throw new Error(`the updated tree is not what it should be:\n${differs.slice(0, 1000)}`);
}
