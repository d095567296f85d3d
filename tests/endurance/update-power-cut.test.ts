import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bootPartitionPaths } from '../../src/machine/installed-layout.ts';
import { committed, reverted } from '../../src/machine/trial.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { CutDisks } from '../lab/cut-disks.ts';
import { CutJudge } from '../lab/cut-judge.ts';
import { type Cut, criticalCuts, randomCuts, seededRandom } from '../lab/cut-plan.ts';
import { partitionSubject } from '../lab/partition-subject.ts';
import { RecordedDisk } from '../lab/recorded-disk.ts';
import { makeSmallVersions } from '../lab/small-versions.ts';
import {
  attachDisk,
  bootByGrub,
  makeSubjectDisk,
  placeOfFile,
  regionOf,
  type SubjectDisk,
  turnPointer,
  type UpdateSubject,
} from '../lab/update-subject.ts';
import { WriteLog } from '../lab/write-log.ts';

const randomCount = Number(process.env.IMPRINT_CUTS ?? 300);
const isRoot = process.getuid?.() === 0;

/** A moment of the story: what is done, and what may boot while it goes on and when it is done. */
interface Chapter {
  readonly name: string;
  readonly during: readonly string[];
  readonly after: readonly string[];
  act(subject: UpdateSubject, disk: SubjectDisk): Promise<unknown>;
}

/** Update, trial, commit; update again, a trial that fails; revert. */
const story: readonly Chapter[] = [
  { name: 'update to v2', during: ['v1', 'v2'], after: ['v2'], act: (subject, disk) => subject.update(disk, 'v2') },
  { name: 'trial of v2', during: ['v2'], after: ['v2'], act: (_, disk) => bootByGrub(disk) },
  { name: 'second try of v2', during: ['v2'], after: ['v2'], act: (_, disk) => bootByGrub(disk) },
  {
    name: 'commit v2',
    during: ['v2'],
    after: ['v2'],
    act: async (_, disk) => turnPointer(disk, (pointer) => committed(pointer, pointer.trial ?? '')),
  },
  { name: 'update to v3', during: ['v2', 'v3'], after: ['v3'], act: (subject, disk) => subject.update(disk, 'v3') },
  { name: 'trial 1 of v3', during: ['v3'], after: ['v3'], act: (_, disk) => bootByGrub(disk) },
  { name: 'trial 2 of v3', during: ['v3'], after: ['v3'], act: (_, disk) => bootByGrub(disk) },
  { name: 'trial 3 of v3', during: ['v3', 'v2'], after: ['v2'], act: (_, disk) => bootByGrub(disk) },
  { name: 'update to v4', during: ['v2', 'v4'], after: ['v4'], act: (subject, disk) => subject.update(disk, 'v4') },
  {
    name: 'commit v4',
    during: ['v4'],
    after: ['v4'],
    act: async (_, disk) => turnPointer(disk, (pointer) => committed(pointer, pointer.trial ?? '')),
  },
  { name: 'revert to v2', during: ['v4', 'v2'], after: ['v2'], act: (_, disk) => turnPointer(disk, reverted) },
];

describe.skipIf(!isRoot)('the power fails at any moment of update, trial, commit and revert', () => {
  it.each(['ext4', 'xfs', 'btrfs'] as const)('partition slots on %s', async (fileSystem) => {
    const work = await mkdtemp(join(tmpdir(), 'imprint-update-cuts-'));
    try {
      const versions = join(work, 'versions');
      await makeSmallVersions(versions, [1, 2, 3, 4]);
      await play(partitionSubject(fileSystem, versions), work, versions);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
});

/** The records that decide must even bear a sector of them without the other. */
async function recordCuts(base: string, log: WriteLog, end: number, random: () => number): Promise<Cut[]> {
  const cuts: Cut[] = [];
  for (const path of [...bootPartitionPaths.pointers, bootPartitionPaths.tries]) {
    const from = await placeOfFile(base, path);
    for (let time = 0; time < 4; time += 1) {
      cuts.push(...criticalCuts(log.entries, 0, end, { from, to: from + 1024 }, random, 1));
    }
  }
  return cuts;
}

async function play(subject: UpdateSubject, work: string, versions: string): Promise<void> {
  const [file, base] = [join(work, 'disk.raw'), join(work, 'base.raw')];
  await makeSubjectDisk(file, subject);
  {
    await using disk = await attachDisk(file, join(work, 'install'));
    await subject.install(disk, 'v1');
  }
  await systemProcesses.run('cp', ['--sparse=always', file, base], { timeout: 60_000 });
  {
    await using recorded = await RecordedDisk.attach(file);
    for (const chapter of story) {
      recorded.mark(`begin ${chapter.name}`);
      await chapter.act(subject, { device: recorded.device, work: join(work, 'live') });
    }
    recorded.mark('end');
  }
  await using log = await WriteLog.open(`${file}.log`);
  await using cuts = await CutDisks.open(base, log);
  const judge = await CutJudge.open(subject, cuts, base, versions);
  const random = seededRandom(20_261_121);
  const starts = story.map(({ name }) => log.mark(`begin ${name}`));
  const end = log.mark('end');
  const bootRegion = await regionOf(base, 1);
  const chosen = [
    ...randomCuts(log.entries, 0, end, randomCount, random),
    ...criticalCuts(log.entries, 0, end, bootRegion, random),
    ...(await recordCuts(base, log, end, random)),
  ].sort((a, b) => a.after - b.after);
  const wrong: string[] = [];
  const seen = new Map<string, number>();
  for (const cut of chosen) {
    const chapter = story[starts.findLastIndex((start) => start < cut.after)];
    const allowed = chapter === undefined ? ['v1'] : chapter.during;
    const { version, kind, problems } = await judge.judge(cut);
    const what = `${chapter?.name ?? 'before'}: ${kind} ${version}`;
    seen.set(what, (seen.get(what) ?? 0) + 1);
    if (problems.length > 0 || version === undefined || !allowed.includes(version)) {
      wrong.push(`${what} (${cut.why}): ${problems.join('; ')}`);
    }
    if (wrong.length > 5) break;
  }
  console.log(
    [
      `${subject.title}: ${chosen.length} power cuts in ${log.entries.length} writes and flushes, ${judge.looks} different disks`,
    ]
      .concat([...seen].map(([what, count]) => `  ${count} × ${what}`))
      .join('\n'),
  );
  expect(wrong).toEqual([]);
}
