import { copyFileSync, existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DebianTrees } from '../debian-trees.ts';
import { formatNumber, type Goal, type Line, type Report } from '../report.ts';
import { requirePrograms } from '../stores.ts';
import { casyncUpdate } from '../updates/casync-update.ts';
import { imprintUpdate } from '../updates/imprint-update.ts';
import { ociUpdate } from '../updates/oci-update.ts';
import { ostreeUpdate } from '../updates/ostree-update.ts';
import { rsyncUpdate } from '../updates/rsync-update.ts';
import type { Update } from '../updates/update.ts';
import type { Workshop } from '../workshop.ts';
import { makeNoise, rewriteBlocks } from './rewritten-blocks.ts';

const programs = ['rsync', 'casync', 'ostree', 'skopeo', 'umoci'].map((name) => ({ program: name, package: name }));

type Part = (workshop: Workshop, trees: DebianTrees) => Promise<Partial<MeasuredUpdates>>;
/** What is measured after one another, and may be measured alone (`--rows update:casync`). */
const parts: Record<string, Part> = {
  imprint: async (workshop, trees) => {
    const imprint = await imprintUpdate(workshop, 'update', trees, 'imprint-origin');
    workshop.remove('update');
    return { imprint };
  },
  rsync: async (workshop, trees) => ({ rsync: await rsyncUpdate(workshop, trees) }),
  casync: async (workshop, trees) => ({ casync: await casyncUpdate(workshop, trees) }),
  ostree: async (workshop, trees) => ({ ostree: await ostreeUpdate(workshop, trees, false) }),
  delta: async (workshop, trees) => ({ delta: await ostreeUpdate(workshop, trees, true) }),
  oci: async (workshop, trees) => ({ oci: await ociUpdate(workshop, trees) }),
  blocks: async (workshop) => {
    const blocks = databaseTrees(workshop);
    const imprintBlocks = await imprintUpdate(workshop, 'database', blocks);
    workshop.remove('database');
    const rsyncBlocks = await rsyncUpdate(workshop, blocks);
    workshop.remove('database-trees');
    return { imprintBlocks, rsyncBlocks, rewritten: blocks.rewritten };
  },
};

/**
 * A machine that has one state of a Debian gets the next over HTTP: bytes, requests, CPU at both ends. Then a file of 500 MB of which 1 % was rewritten.
 * `part` measures one program; the others' figures are those of their last time, kept beside the trees.
 */
export async function measureUpdate(workshop: Workshop, trees: DebianTrees, part?: string): Promise<Report> {
  requirePrograms(programs);
  const file = join(workshop.cache, 'updates.json');
  const kept = (): Partial<MeasuredUpdates> => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {});
  if (part !== undefined && !(part in parts))
    throw new Error(`update has no part ${part}; there are ${Object.keys(parts).join(', ')}`);
  for (const [name, measure] of Object.entries(parts)) {
    if (part !== undefined && name !== part) continue;
    const measured = await measure(workshop, trees);
    writeFileSync(file, JSON.stringify({ ...kept(), ...measured }));
  }
  return reportUpdates(kept());
}

/** What was measured: of a security update by everyone, and of a file of which `rewritten` bytes were. */
export interface MeasuredUpdates {
  imprint: Update;
  rsync: Update;
  casync: Update;
  ostree: Update;
  delta: Update;
  oci: Update;
  imprintBlocks: Update;
  rsyncBlocks: Update;
  rewritten: number;
}

/** The tables' rows, of what was measured so far. */
export function reportUpdates(measured: Partial<MeasuredUpdates>): Report {
  const { imprint, rsync, casync, ostree, delta, oci, imprintBlocks, rsyncBlocks } = measured;
  const others = [casync, ostree, delta, oci].filter((update) => update !== undefined);
  const goals: Goal[] = [];
  if (imprint !== undefined && rsync !== undefined)
    goals.push(
      goal('update: bytes on the wire', imprint.bytes / 1e6, 0.45, 'rsync -z', rsync.bytes / 1e6, 'MB'),
      {
        name: 'update: requests',
        own: imprint.requests ?? Number.NaN,
        limit: 10,
        unit: '',
        against: requestsOf(others),
      },
      goal('update: CPU of the machine', imprint.client.cpu, 1.5, 'rsync -z', rsync.client.cpu, 's CPU'),
      goal(
        'update: CPU of the server for each further machine',
        imprint.further ?? Number.NaN,
        0.05,
        'the first',
        imprint.server ?? Number.NaN,
        's CPU',
      ),
    );
  if (imprint?.memory !== undefined)
    goals.push({
      name: 'update: peak memory of the server, which makes the bundle',
      own: imprint.memory,
      limit: 512,
      unit: 'MiB',
      against: '',
    });
  if (imprintBlocks !== undefined && rsyncBlocks !== undefined && measured.rewritten !== undefined) {
    const rewritten = measured.rewritten / 1e6;
    const what = '500 MB, 1 % rewritten: bytes on the wire';
    goals.push({
      ...goal(what, imprintBlocks.bytes / 1e6, 1.3, 'what was rewritten', rewritten, 'MB'),
      against: `1.3 × ${formatNumber(rewritten)} MB that were rewritten; rsync -z: ${formatNumber(rsyncBlocks.bytes / 1e6)} MB`,
    });
  }
  const all = [imprint, rsync, ...others].filter((update) => update !== undefined);
  const lines = all.map((update) => lineOf('security update', update));
  for (const update of [imprintBlocks, rsyncBlocks])
    if (update !== undefined) lines.push(lineOf('500 MB, 1 % rewritten', update));
  return { goals, lines };
}

function goal(name: string, own: number, factor: number, against: string, value: number, unit: Goal['unit']): Goal {
  return { name, own, limit: factor * value, unit, against: `${factor} × ${against}: ${formatNumber(value)} ${unit}` };
}

function requestsOf(updates: readonly Update[]): string {
  return updates.map(({ name, requests }) => `${name}: ${requests?.toLocaleString('en')}`).join(', ');
}

function lineOf(what: string, { name, client, bytes, requests, server, further, runs = 1 }: Update): Line {
  const words = [`${name}: ${what}, machine`];
  if (requests !== undefined) words.push(`${requests.toLocaleString('en')} requests`);
  if (server !== undefined) words.push(`server ${formatNumber(server)} s CPU`);
  if (further !== undefined && further !== server) words.push(`${formatNumber(further)} s for a further machine`);
  return { name: words.join('; '), measured: client, output: bytes, runs };
}

/** Two states of a tree with one file of 500 MB. */
function databaseTrees(workshop: Workshop): DebianTrees & { rewritten: number } {
  const directory = workshop.empty('database-trees');
  const trees = { before: join(directory, 'before'), after: join(directory, 'after') };
  for (const tree of [trees.before, trees.after]) mkdirSync(tree);
  const noise = makeNoise(join(trees.before, 'database'));
  copyFileSync(join(trees.before, 'database'), join(trees.after, 'database'));
  const rewritten = rewriteBlocks(join(trees.after, 'database'), noise);
  utimesSync(join(trees.before, 'database'), 1, 1);
  return { ...trees, rewritten };
}
