import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Background } from '../background.ts';
import type { DebianTrees } from '../debian-trees.ts';
import { quoted, type Workshop } from '../workshop.ts';
import { type MeasuredClient, medianClient, ports, type Update } from './update.ts';

const node = process.execPath;
const program = fileURLToPath(new URL('../update-client.ts', import.meta.url));

/** Imprint: captured, served; the bundle is made when the first machine asks, further ones fetch the same. Each machine's tree is compared in the end. */
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
  const clients: MeasuredClient[] = [];
  // The first one has the bundle made: what it takes on the machine is that of every other, what it takes on the server is not.
  for (let number = 0; number <= workshop.runs; number += 1) {
    const target = join(workshop.empty(`${name}-target`), 'tree');
    workshop.run(`cp -a ${quoted(trees.before)} ${quoted(target)}`);
    const words = [url, from, 'bench', manifest, trees.before, target, directory].map(quoted).join(' ');
    const before = server.cpu();
    const client = workshop.measure(
      `${name}: update, machine ${number + 1}`,
      `${quoted(node)} --disable-warning=ExperimentalWarning --max-semi-space-size=4 ${quoted(program)} ${words}`,
    );
    clients.push({ client, server: server.cpu() - before });
    workshop.say(`${name}: server ${clients.at(-1)?.server.toFixed(2)} s CPU, ${server.peakMemory().toFixed(0)} MiB`);
    requireSame(workshop, trees.after, target, join(directory, 'differs'));
  }
  workshop.remove(`${name}-target`);
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
