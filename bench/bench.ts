import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeMachine, formatReport, type Row, writeReport } from './report.ts';
import { measureTree, prepareTree } from './tree.ts';

/**
 * `npm run bench`: Imprint beside `tar | zstd` on the same tree of a real system, medians of three, in CPU seconds (which
 * a busy machine distorts little). Options: `--runs N`, `--write` puts the table into docs/performance.md. The tree and all
 * that is written lie in `IMPRINT_BENCH_CACHE`, else in `imprint-bench` below the temporary directory; the tree stays there.
 * `IMPRINT_BENCH_TREE` names another tree to measure.
 */

interface Measured {
  status: number;
  user: number;
  system: number;
  memory: number;
  wall: number;
}

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const option = (name: string) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const runs = Number(option('--runs') ?? 3);
const cache = process.env.IMPRINT_BENCH_CACHE ?? join(tmpdir(), 'imprint-bench');
const say = (message: string) => process.stderr.write(`bench: ${message}\n`);

const tree = process.env.IMPRINT_BENCH_TREE ?? prepareTree(cache, say);
const work = join(cache, 'work');
const imprint = join(root, 'imprint');
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
const store = join(work, 'store');
const archive = join(work, 'tree.tar.zst');
const target = join(work, 'target');
const data = join(work, 'data');
const ours = `${quoted(imprint)} --data ${quoted(data)} --store ${quoted(store)} --quiet --yes`;
const everything = '--no-default-excludes --keep-secrets';

/** Each in the order in which they run, one round after another, so that all see the machine in the same moods. */
const steps = {
  'tar-capture': `tar --xattrs --acls --numeric-owner --sparse -C ${quoted(tree)} -cf - . | zstd -q -3 -T2 -o ${quoted(archive)}`,
  capture: `${ours} capture ${quoted(tree)} --name bench ${everything}`,
  recapture: `${ours} capture ${quoted(tree)} --name bench ${everything}`,
  'tar-restore': `mkdir ${quoted(target)} && zstd -dcq ${quoted(archive)} | tar --xattrs --acls --numeric-owner -C ${quoted(target)} -xpf -`,
  restore: `${ours} image checkout bench ${quoted(target)}`,
  help: `${quoted(imprint)} --help`,
} as const;
type Step = keyof typeof steps;

const results = new Map<Step, Measured[]>();
const sizes = { tar: 0, imprint: 0 };

// All that is read comes from the page cache, for all of them alike.
measure(`tar -C ${quoted(tree)} -cf - . | cat > /dev/null`);
for (let run = 1; run <= runs; run += 1) {
  rmSync(work, { recursive: true, force: true });
  spawnSync('mkdir', ['-p', work]);
  for (const step of Object.keys(steps) as Step[]) {
    if (step.endsWith('restore')) {
      rmSync(target, { recursive: true, force: true });
      spawnSync('sync', ['-f', work]);
    }
    const measured = measure(steps[step]);
    say(
      `run ${run}/${runs}: ${step} ${(measured.user + measured.system).toFixed(2)} s CPU, ${measured.wall.toFixed(1)} s`,
    );
    results.set(step, [...(results.get(step) ?? []), measured]);
    if (step === 'capture') sizes.imprint = sizeOf(store);
  }
  sizes.tar = statSync(archive).size;
}
rmSync(work, { recursive: true, force: true });

const report = formatReport(rows(), { ...measureTree(tree), runs }, describeMachine(tree));
process.stdout.write(report);
if (process.argv.includes('--write')) writeReport(join(root, 'docs', 'performance.md'), report);

function rows(): Row[] {
  const cpu = (step: Step) => median(step, ({ user, system }) => user + system);
  const memory = (step: Step) => median(step, (measured) => measured.memory / 1024);
  const ratio = (name: string, own: number, peer: number, limit: number, unit: Row['unit']): Row => ({
    name,
    own,
    peer,
    limit: limit * peer,
    unit,
  });
  return [
    ratio('capture, against `tar | zstd -3 -T2`', cpu('capture'), cpu('tar-capture'), 1.4, 's CPU'),
    ratio('size of what it writes', sizes.imprint / 1e6, sizes.tar / 1e6, 1, 'MB'),
    ratio('verified restore, against `zstd -d | tar x`', cpu('restore'), cpu('tar-restore'), 1.15, 's CPU'),
    ratio('capture again, nothing changed, against the first', cpu('recapture'), cpu('capture'), 0.1, 's CPU'),
    ...(['capture', 'recapture', 'restore'] as const).map(
      (step): Row => ({ name: `peak memory, ${step}`, own: memory(step), limit: 512, unit: 'MiB' }),
    ),
    { name: '`imprint --help`', own: cpu('help') * 1000, limit: 150, unit: 'ms CPU' },
  ];
}

function measure(command: string): Measured {
  const node = join(root, 'node_modules', 'node', 'bin', 'node');
  const helper = join(root, 'bench', 'measure.ts');
  const { stdout } = spawnSync(node, ['--disable-warning=ExperimentalWarning', helper, command], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const measured = JSON.parse(stdout) as Measured;
  if (measured.status !== 0) throw new Error(`failed (${measured.status}): ${command}`);
  return measured;
}

function median(step: Step, value: (measured: Measured) => number): number {
  const values = (results.get(step) ?? []).map(value).sort((left, right) => left - right);
  return values[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** Bytes of all files below a directory, but the hints, which no reader of an image needs. */
function sizeOf(directory: string): number {
  if (!existsSync(directory)) return 0;
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
