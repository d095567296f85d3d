import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianTreesIn, prepareDebianTrees } from './debian-trees.ts';
import { describeMachine, describePackages, formatReport, type Report, writeReport } from './report.ts';
import { measureAgent } from './rows/agent.ts';
import { measureFills } from './rows/fill.ts';
import { measureFirstVersion } from './rows/first-version.ts';
import { measureManyFiles } from './rows/many-files.ts';
import { measureManyVersions } from './rows/many-versions.ts';
import { measureRewrittenBlocks } from './rows/rewritten-blocks.ts';
import { measureSecondVersion } from './rows/second-version.ts';
import { measureUpdate } from './rows/update.ts';
import { measureTree } from './tree-size.ts';
import { Workshop } from './workshop.ts';

/**
 * `npm run bench`: Imprint beside its peers, in CPU seconds (which a busy machine distorts little), medians of three. docs/performance.md says what each
 * row is and what the options are: `--rows a,b`, `--runs N`, `--write`.
 */

const root = resolve(fileURLToPath(new URL('..', import.meta.url)));
const cache = process.env.IMPRINT_BENCH_CACHE ?? join(tmpdir(), 'imprint-bench');
const workshop = new Workshop(cache, Number(option('--runs') ?? 3));
type Row = (part?: string) => Report | Promise<Report>;
const rows: Record<string, Row> = {
  first: () => measureFirstVersion(workshop, trees.before),
  second: () => measureSecondVersion(workshop, trees),
  blocks: () => measureRewrittenBlocks(workshop),
  files: () => measureManyFiles(workshop),
  update: (part) => measureUpdate(workshop, trees, part),
  fill: (part) => measureFills(workshop, trees.before, part),
  agent: () => measureAgent(workshop),
  versions: () => measureManyVersions(workshop, trees.before),
};
const named = option('--rows');
/** `none` shows and writes what earlier runs left. */
const wanted = named === 'none' ? [] : (named?.split(',') ?? Object.keys(rows));
const needTrees = wanted.some((row) => !['blocks', 'files', 'agent', 'update:blocks'].includes(row));
const trees = needTrees ? await prepareDebianTrees(cache, (message) => workshop.say(message)) : debianTreesIn(cache);
const unknown = wanted.find((row) => !(nameOf(row) in rows));
if (unknown !== undefined) throw new Error(`there is no row ${unknown}; there are ${Object.keys(rows).join(', ')}`);

// What was measured is kept, so that single rows can be measured again and all be shown together.
const resultsFile = join(cache, 'results.json');
const results: Record<string, Report> = {};
const readResults = () => {
  if (existsSync(resultsFile)) Object.assign(results, JSON.parse(readFileSync(resultsFile, 'utf8')));
};
readResults();
try {
  for (const row of wanted) {
    const [name = '', part] = row.split(':');
    const measured = await (rows[name] as Row)(part);
    readResults();
    results[name] = { ...measured, lines: measured.lines.map((line) => ({ runs: workshop.runs, ...line })) };
    writeFileSync(resultsFile, JSON.stringify(results));
  }
} finally {
  rmSync(workshop.work, { recursive: true, force: true });
}

const shown = Object.keys(rows).filter((row) =>
  process.argv.includes('--write') || wanted.length === 0
    ? row in results
    : wanted.some((name) => nameOf(name) === row),
);
const report = formatReport(
  {
    goals: shown.flatMap((row) => results[row]?.goals ?? []),
    lines: shown.flatMap((row) => results[row]?.lines ?? []),
  },
  heading(),
);
process.stdout.write(report);
if (process.argv.includes('--write')) writeReport(join(root, 'docs', 'performance.md'), report);

function heading(): string {
  const versions = describePackages([
    'tar',
    'zstd',
    'rsync',
    'restic',
    'borgbackup',
    'casync',
    'ostree',
    'squashfs-tools',
    'skopeo',
  ]);
  return `${treeSize()}${describeMachine()}; ${versions}.`;
}

/** `update` of `update:casync`. */
function nameOf(row: string): string {
  return row.split(':')[0] ?? row;
}

function treeSize(): string {
  if (!existsSync(trees.before)) return '';
  const { files, bytes } = measureTree(trees.before);
  return `${files.toLocaleString('en')} files, ${(bytes / 1e9).toFixed(2)} GB; `;
}

function option(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}
