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
import { type Cut, criticalCuts, randomCuts, seededRandom } from '../lab/cut-plan.ts';
import { installDisk } from '../lab/installed-disk.ts';
import { attachDisk, partitionPlace, placeOfFile } from '../lab/partition-file.ts';
import { bootPartitionNumber } from '../lab/simulated-machine.ts';
import { checkOut, takeUpdateStore } from '../lab/update-store.ts';
import { WriteLog } from '../lab/write-log.ts';
import { story } from './cut-story.ts';

const randomCount = Number(process.env.IMPRINT_CUTS ?? 75);
const isRoot = process.getuid?.() === 0;

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
}, 25 * 60_000);

afterAll(async () => {
  if (work !== undefined) await rm(work, { recursive: true, force: true });
});

describe.skipIf(!isRoot)('the power fails at any moment of update, trial, commit and revert', () => {
  it.each<InstallOptions>([
    { layout: 'slots', fileSystem: 'ext4' },
    { layout: 'files', fileSystem: 'ext4' },
    { layout: 'files', fileSystem: 'xfs' },
    { layout: 'files', fileSystem: 'btrfs' },
  ])('$layout on $fileSystem', async (options) => {
    const place = join(work, `${options.layout}-${options.fileSystem}`);
    await mkdir(place);
    try {
      await play(options, place);
    } finally {
      await rm(place, { recursive: true, force: true }).catch(() => {});
    }
  });
});

async function play(options: InstallOptions, place: string): Promise<void> {
  const [file, base] = [join(place, 'disk.raw'), join(place, 'base.raw')];
  await installDisk({ file, size: '4G', name: 'cut01', image: 'web:1', options, data, server: 'http://10.9.0.1:4280' });
  await systemProcesses.run('cp', ['--sparse=always', file, base], { timeout: 120_000 });
  const layout = await layoutOf(base);
  await record(file, join(place, 'machine'));
  await using log = await WriteLog.open(`${file}.log`);
  await using cuts = await CutDisks.open(base, log);
  const judge = await CutJudge.open(cuts, base, layout, versions);
  const starts = story.map(({ name }) => log.mark(name));
  const chosen = await chooseCuts(base, log);
  const wrong: string[] = [];
  const seen = new Map<string, number>();
  for (const cut of chosen) {
    const chapter = story[starts.findLastIndex((start) => start < cut.after)];
    const { version, kind, problems } = await judge.judge(cut);
    const what = `${chapter?.name ?? 'before'}: ${version} (${kind})`;
    seen.set(what, (seen.get(what) ?? 0) + 1);
    if (problems.length > 0 || version === undefined || !(chapter?.may ?? ['web:1']).includes(version)) {
      wrong.push(`${what}, cut ${cut.why}: ${problems.join('; ')}`);
    }
    if (wrong.length > 5) break;
  }
  const heading = `${options.layout} on ${options.fileSystem}: ${chosen.length} power cuts among ${log.entries.length} writes and flushes`;
  console.log(
    [`${heading}, ${judge.looks} looks`, ...[...seen].map(([what, count]) => `${count} × ${what}`)].join('\n  '),
  );
  expect(wrong).toEqual([]);
}

/**
 * Lives the story on a disk that is recorded, in a process with mounts of its own: a process of somebody else that begins meanwhile must not keep
 * what is mounted there.
 */
async function record(file: string, directory: string): Promise<void> {
  const script = join(import.meta.dirname, 'cut-recorder.ts');
  const node = [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    script,
    file,
    directory,
    join(data, 'store'),
  ];
  await systemProcesses.run('unshare', ['--mount', '--propagation', 'private', ...node], { timeout: 400_000 });
}

/** By chance everywhere; around every write to the boot partition; and of its records even half. */
async function chooseCuts(base: string, log: WriteLog): Promise<Cut[]> {
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
  return cuts.sort((a, b) => a.after - b.after);
}

async function layoutOf(file: string): Promise<InstalledLayout> {
  await using disk = await attachDisk(file);
  await using boot = await BootPartition.open(systemProcesses, `${disk.device}p${bootPartitionNumber}`, {
    readOnly: true,
  });
  return await boot.layout();
}
