import { copyFileSync, mkdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import type { DebianTrees } from '../debian-trees.ts';
import { formatNumber, type Goal, type Line, type Report } from '../report.ts';
import { requirePrograms } from '../stores.ts';
import { casyncUpdate, imprintUpdate, ociUpdate, ostreeUpdates, rsyncUpdate, type Update } from '../update-peers.ts';
import type { Workshop } from '../workshop.ts';
import { makeNoise, rewriteBlocks } from './rewritten-blocks.ts';

const programs = ['rsync', 'casync', 'ostree', 'curl'].map((name) => ({ program: name, package: name }));

/** A machine that has one state of a Debian gets the next over HTTP: bytes, requests, CPU at both ends. Then a file of 500 MB of which 1 % was rewritten. */
export async function measureUpdate(workshop: Workshop, trees: DebianTrees): Promise<Report> {
  requirePrograms(programs);
  const imprint = await imprintUpdate(workshop, 'update', trees);
  workshop.remove('update');
  const rsync = await rsyncUpdate(workshop, trees);
  const others = [
    await casyncUpdate(workshop, trees),
    ...(await ostreeUpdates(workshop, trees)),
    await ociUpdate(workshop, trees),
  ];
  const blocks = databaseTrees(workshop);
  const [imprintBlocks, rsyncBlocks] = [
    await imprintUpdate(workshop, 'database', blocks),
    await rsyncUpdate(workshop, blocks),
  ];
  workshop.remove('database');
  workshop.remove('database-trees');
  return reportUpdates({ imprint, rsync, others, imprintBlocks, rsyncBlocks, rewritten: blocks.rewritten });
}

/** What was measured: of a security update by everyone, and of a file of which `rewritten` bytes were. */
export interface MeasuredUpdates {
  imprint: Update;
  rsync: Update;
  others: Update[];
  imprintBlocks: Update;
  rsyncBlocks: Update;
  rewritten: number;
}

/** The tables' rows. */
export function reportUpdates(measured: MeasuredUpdates): Report {
  const { imprint, rsync, others, imprintBlocks, rsyncBlocks } = measured;
  const rewritten = measured.rewritten / 1e6;
  const goals: Goal[] = [
    goal('update: bytes on the wire', imprint.bytes / 1e6, 0.45, 'rsync -z', rsync.bytes / 1e6, 'MB'),
    { name: 'update: requests', own: imprint.requests ?? Number.NaN, limit: 10, unit: '', against: requestsOf(others) },
    goal('update: CPU of the machine', imprint.client.cpu, 1.5, 'rsync -z', rsync.client.cpu, 's CPU'),
    goal(
      'update: CPU of the server for each further machine',
      imprint.further ?? Number.NaN,
      0.05,
      'the first',
      imprint.server ?? Number.NaN,
      's CPU',
    ),
    {
      ...goal(
        '500 MB, 1 % rewritten: bytes on the wire',
        imprintBlocks.bytes / 1e6,
        1.3,
        'what was rewritten',
        rewritten,
        'MB',
      ),
      against: `1.3 × ${formatNumber(rewritten)} MB that were rewritten; rsync -z: ${formatNumber(rsyncBlocks.bytes / 1e6)} MB`,
    },
  ];
  const lines = [imprint, rsync, ...others].map((update) => lineOf('security update', update));
  lines.push(...[imprintBlocks, rsyncBlocks].map((update) => lineOf('500 MB, 1 % rewritten', update)));
  return { goals, lines };
}

function goal(name: string, own: number, factor: number, against: string, value: number, unit: Goal['unit']): Goal {
  return { name, own, limit: factor * value, unit, against: `${factor} × ${against}: ${formatNumber(value)} ${unit}` };
}

function requestsOf(updates: readonly Update[]): string {
  return updates.map(({ name, requests }) => `${name}: ${requests?.toLocaleString('en')}`).join(', ');
}

function lineOf(what: string, { name, client, bytes, requests, server, further }: Update): Line {
  const words = [`${name}: ${what}, machine`];
  if (requests !== undefined) words.push(`${requests.toLocaleString('en')} requests`);
  if (server !== undefined) words.push(`server ${formatNumber(server)} s CPU`);
  if (further !== undefined && further !== server) words.push(`${formatNumber(further)} s for a further machine`);
  return { name: words.join('; '), measured: client, output: bytes };
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
