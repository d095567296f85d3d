import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InstallOptions } from '../../src/contract/machine.ts';
import { bootPartitionPaths, type InstalledLayout } from '../../src/machine/installed-layout.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { CutDisks } from '../lab/cut-disks.ts';
import { CutJudge } from '../lab/cut-judge.ts';
import { type Cut, criticalCuts, type Region, randomCuts, seededRandom } from '../lab/cut-plan.ts';
import { installDisk } from '../lab/installed-disk.ts';
import { whileOff } from '../lab/machine-off.ts';
import { attachDisk, partitionPlace, placeOfFile } from '../lab/partition-file.ts';
import { runAlone } from '../lab/run-alone.ts';
import { bootPartitionNumber } from '../lab/simulated-machine.ts';
import { checkOut, takeUpdateStore } from '../lab/update-store.ts';
import { WriteLog } from '../lab/write-log.ts';
import { type Chapter, inPlaceStory, storyOf } from './cut-story.ts';

const minute = 60_000;
const isRoot = process.getuid?.() === 0;
/** Cuts at random moments, of each layout. */
const randomCount = Number(process.env.IMPRINT_CUTS ?? 40);
/** Disks of each layout on which the update is done again after the cut: ten seconds of work each. */
const finishedCount = Number(process.env.IMPRINT_FINISHED ?? 3);

let work: string;
let data: string;
const versions = new Map<string, string>();

beforeAll(async () => {
  if (!isRoot) return;
  work = await mkdtemp(join(tmpdir(), 'imprint-update-cuts-'));
  data = join(work, 'data');
  await mkdir(data);
  await takeUpdateStore(data);
  const tags = ['good1', 'good2', 'good3', 'good4'];
  await checkOut(data, tags, join(work, 'versions'));
  tags.forEach((tag, index) => {
    versions.set(`web:${index + 1}`, join(work, 'versions', tag));
  });
  // The first time it builds two Debian systems and a dozen versions.
}, 25 * minute);

afterAll(async () => {
  if (work !== undefined) await rm(work, { recursive: true, force: true });
});

describe.skipIf(!isRoot)('the power fails at any moment of update, trial, commit and revert', () => {
  it.each<InstallOptions>([
    { layout: 'single', fileSystem: 'ext4' },
    { layout: 'slots', fileSystem: 'ext4' },
    { layout: 'files', fileSystem: 'ext4' },
    { layout: 'files', fileSystem: 'xfs' },
    { layout: 'files', fileSystem: 'btrfs' },
  ])('$layout on $fileSystem', { timeout: 20 * minute }, async (options) => {
    const place = join(work, `${options.layout}-${options.fileSystem}`);
    await mkdir(place);
    try {
      await play(options, place);
    } finally {
      await rm(place, { recursive: true, force: true }).catch(() => {});
    }
  });
});

describe.skipIf(!isRoot)('a version that lies in the slot before', () => {
  it.each<InstallOptions>([
    { layout: 'slots', fileSystem: 'ext4' },
    { layout: 'files', fileSystem: 'ext4' },
    { layout: 'files', fileSystem: 'btrfs' },
  ])('is made anew: $layout on $fileSystem', { timeout: 10 * minute }, async (options) => {
    const disk = join(work, `again-${options.layout}-${options.fileSystem}.raw`);
    const wish = { file: disk, size: '4G', name: 'again01', image: 'web:1', options, data };
    await installDisk({ ...wish, server: 'http://10.9.0.1:4280' });
    const update = (version: string) => [
      ...([{ act: 'boot' }, { act: 'update', version }, { act: 'shutDown' }] as const),
      ...([{ act: 'boot' }, { act: 'commit' }] as const),
    ];
    await whileOff(disk, data, update('good2'));
    const { pointer, versions } = await whileOff(disk, data, update('good1'));
    expect([versions[pointer?.good ?? ''], versions[pointer?.previous ?? '']]).toEqual(['web:1', 'web:2']);
    await rm(disk);
  });
});

async function play(options: InstallOptions, place: string): Promise<void> {
  const [file, base] = [join(place, 'disk.raw'), join(place, 'base.raw')];
  await installDisk({ file, size: '4G', name: 'cut01', image: 'web:1', options, data, server: 'http://10.9.0.1:4280' });
  await systemProcesses.run('cp', ['--sparse=always', file, base], { timeout: 120_000 });
  const layout = await layoutOf(base);
  // On a disk that is recorded.
  const recorder = join(import.meta.dirname, 'cut-recorder.ts');
  await runAlone(recorder, [file, join(place, 'machine'), join(data, 'store'), layout.layout], 8 * minute);
  await using log = await WriteLog.open(`${file}.log`);
  const chapters = chaptersIn(log, storyOf(layout.layout));
  const chosen = await chooseCuts(base, log, layout.layout === 'single');
  const heading = `${options.layout} on ${options.fileSystem}: ${chosen.length} power cuts among ${log.entries.length} writes and flushes`;
  const several = chosen.filter(({ after }) => (chapters(after)?.may.length ?? 0) > 1);
  // Each waits most of the time for what it has started.
  const results = await Promise.allSettled([
    judgeAll({ base, log, layout, chosen, chapters, heading }),
    finishAll({ base, log, chosen: everyOf(several, finishedCount), chapters, heading, place }),
  ]);
  expect(results.flatMap((result) => (result.status === 'fulfilled' ? result.value : [String(result.reason)]))).toEqual(
    [],
  );
}

interface Cutting {
  base: string;
  log: WriteLog;
  chosen: readonly Cut[];
  /** What is cut, for people. */
  heading: string;
  /** In which chapter this entry of the log was written. */
  chapters(entry: number): Chapter | undefined;
}

/** What each disk boots after its cut: one of the versions that may, whole. Returns what is wrong, and prints what was seen. */
async function judgeAll(cutting: Cutting & { layout: InstalledLayout }): Promise<string[]> {
  const { base, log, chosen, chapters, layout, heading } = cutting;
  await using cuts = await CutDisks.open(base, log);
  const judge = await CutJudge.open(cuts, base, layout, versions);
  const wrong: string[] = [];
  const seen = new Map<string, number>();
  const began = Date.now();
  for (const cut of chosen) {
    const chapter = chapters(cut.after);
    const { version, kind, problems } = await judge.judge(cut);
    const what = `${chapter?.name ?? 'before'}: ${version} (${kind})`;
    seen.set(what, (seen.get(what) ?? 0) + 1);
    if (problems.length > 0 || version === undefined || !(chapter?.may ?? ['web:1']).includes(version)) {
      wrong.push(`${what}, cut ${cut.why}: ${problems.join('; ')}`);
    }
    if (wrong.length > 5) break;
  }
  const took = `${judge.looks} looks in ${seconds(began)} s`;
  console.log([`${heading}, ${took}`, ...[...seen].map(([what, count]) => `${count} × ${what}`)].join('\n  '));
  return wrong;
}

/** After each of these cuts the update is done again, and the machine is the new version in the end. Returns what is wrong. */
async function finishAll(cutting: Cutting & { place: string }): Promise<string[]> {
  const { base, log, chosen, chapters, heading, place } = cutting;
  await using cuts = await CutDisks.open(base, log);
  const finisher = join(import.meta.dirname, 'cut-finisher.ts');
  const wrong: string[] = [];
  const seen = new Map<string, number>();
  const began = Date.now();
  for (const cut of chosen) {
    await using disk = await cuts.make(cut);
    const wanted = chapters(cut.after)?.may.at(-1) ?? 'web:2';
    const words = [disk.path, join(place, 'finished'), join(data, 'store'), wanted, versions.get(wanted) ?? ''];
    const end = await runAlone(finisher, words, 3 * minute).catch((error: unknown) => String(error).slice(-2000));
    seen.set(end, (seen.get(end) ?? 0) + 1);
    if (!end.startsWith('started')) wrong.push(`${wanted}, cut ${cut.why}: ${end}`);
    if (wrong.length > 2) break;
  }
  const ends = [...seen].map(([end, count]) => `${count} × ${end}`);
  const took = `updated again after ${chosen.length} of them in ${seconds(began)} s`;
  console.log([`${heading}, ${took}`, ...ends].join('\n  '));
  return wrong;
}

function chaptersIn(log: WriteLog, story: readonly Chapter[]): (entry: number) => Chapter | undefined {
  const starts = story.map(({ name }) => log.mark(name));
  return (entry) => story[starts.findLastIndex((start) => start < entry)];
}

/** `count` of a list, evenly spread. */
function everyOf<Item>(list: readonly Item[], count: number): Item[] {
  const step = Math.max(1, list.length / count);
  return list.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step)).slice(0, count);
}

/**
 * By chance everywhere; around every write to the boot partition; and of its records even half. `inPlace`: as many again where the one root that there is
 * changes: after the decision, and at the starts.
 */
async function chooseCuts(base: string, log: WriteLog, inPlace: boolean): Promise<Cut[]> {
  const random = seededRandom(20_261_121);
  const { entries } = log;
  const end = entries.length;
  const bootPartition = await partitionPlace(base, bootPartitionNumber);
  const cuts = randomCuts(entries, 0, end, randomCount, random);
  // Thousands in the middle of a kernel that no record names yet show nothing new.
  const around = criticalCuts(entries, 0, end, bootPartition, random);
  const step = Math.max(1, Math.floor((2 * around.length) / randomCount));
  cuts.push(...around.filter((_, index) => index % step === 0));
  for (const path of [...bootPartitionPaths.pointers, bootPartitionPaths.tries]) {
    const from = await placeOfFile(base, bootPartitionNumber, path);
    cuts.push(...criticalCuts(entries, 0, end, { from, to: from + 1024 }, random, 1));
  }
  if (inPlace) {
    const stretches = inPlaceStory.map(({ name }) => stretchOf(log, name, bootPartition));
    for (const [from, to] of stretches) {
      cuts.push(...randomCuts(entries, from, to, Math.ceil(randomCount / stretches.length), random));
    }
  }
  return cuts.sort((a, b) => a.after - b.after);
}

/** The writes of a chapter; of an update those since the last one to the boot partition, when it has been decided and the files change places. */
function stretchOf(log: WriteLog, name: string, boot: Region): [from: number, to: number] {
  const { entries } = log;
  const start = log.mark(name);
  const next = entries.findIndex(({ kind }, index) => kind === 'mark' && index > start);
  const to = next < 0 ? entries.length : next;
  if (!/update|another/.test(name)) return [start, to];
  const decided = entries.findLastIndex(
    ({ kind, offset }, index) => index < to && kind === 'write' && offset >= boot.from && offset < boot.to,
  );
  return [decided, to];
}

async function layoutOf(file: string): Promise<InstalledLayout> {
  await using disk = await attachDisk(file);
  await using boot = await BootPartition.open(systemProcesses, `${disk.device}p${bootPartitionNumber}`, {
    readOnly: true,
  });
  return await boot.layout();
}

function seconds(began: number): number {
  return Math.round((Date.now() - began) / 1000);
}
