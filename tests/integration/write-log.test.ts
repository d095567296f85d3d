import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemProcesses } from '../../src/system/run.ts';
import { CutDisks } from '../lab/cut-disks.ts';
import { criticalCuts, randomCuts, seededRandom } from '../lab/cut-plan.ts';
import { loggedDrive } from '../lab/logged-drive.ts';
import { RecordedDisk } from '../lab/recorded-disk.ts';
import { WriteLog } from '../lab/write-log.ts';

const run = (tool: string, ...args: string[]) => systemProcesses.run(tool, args, { timeout: 60_000 });

async function directory() {
  const path = await mkdtemp(join(tmpdir(), 'imprint-write-log-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function sameBytes(one: string, other: string): Promise<boolean> {
  return (await systemProcesses.run('cmp', ['--silent', one, other], { accept: [0, 1], timeout: 60_000 })).status === 0;
}

it.each(['ext4', 'xfs', 'btrfs'])(
  'what %s made durable is there after every cut, and only cuts before that may lack it',
  async (type) => {
    await using place = await directory();
    const [disk, base, mounted] = ['disk.raw', 'base.raw', 'mounted'].map((name) => join(place.path, name)) as [
      string,
      string,
      string,
    ];
    await mkdir(mounted);
    await run('truncate', '--size', '400M', disk);
    await run(`mkfs.${type}`, '-q', disk);
    await run('cp', '--sparse=always', disk, base);
    {
      await using recorded = await RecordedDisk.attach(disk);
      await run('mount', recorded.device, mounted);
      try {
        await writeFile(join(mounted, 'one'), 'first\n');
        await run('sync', join(mounted, 'one'), mounted);
        recorded.mark('one is durable');
        await writeFile(join(mounted, 'two'), Buffer.alloc(3 << 20, 'two'));
        await run('sync', join(mounted, 'two'), mounted);
        recorded.mark('two is durable');
      } finally {
        await run('umount', mounted);
      }
    }
    await using log = await WriteLog.open(`${disk}.log`);
    const { entries } = log;
    const [one, two] = [log.mark('one is durable'), log.mark('two is durable')];
    await using cuts = await CutDisks.open(base, log);
    const random = seededRandom(7);
    const chosen = [
      ...randomCuts(entries, 0, entries.length, 24, random),
      ...criticalCuts(entries, 0, entries.length, { from: 0, to: 1 << 20 }, random).slice(0, 24),
    ].sort((a, b) => a.after - b.after);
    const seen = new Set<string>();
    for (const cut of chosen) {
      await using after = await cuts.make(cut);
      // The kernel's own mount, which carries its journal on.
      await run('mount', '-o', 'loop', after.path, mounted);
      try {
        const [first, second] = await Promise.all(
          ['one', 'two'].map((name) => readFile(join(mounted, name)).catch(() => undefined)),
        );
        if (cut.after > one) expect(first?.toString(), cut.why).toBe('first\n');
        if (cut.after > two) expect(second?.equals(Buffer.alloc(3 << 20, 'two')), cut.why).toBe(true);
        seen.add(`${first?.length ?? 'none'} ${second?.length ?? 'none'}`);
      } finally {
        await run('umount', mounted);
      }
    }
    expect(seen.size).toBeGreaterThan(1);
    await using whole = await cuts.make({ after: entries.length, lost: [], why: 'all of it' });
    expect(await sameBytes(whole.path, disk)).toBe(true);
  },
);

it('a log that QEMU writes is replayed to the disk that QEMU left, discards and a cut-off end included', async () => {
  await using place = await directory();
  const [disk, base, log] = ['disk.qcow2', 'base.raw', 'disk.log'].map((name) => join(place.path, name)) as [
    string,
    string,
    string,
  ];
  await run('qemu-img', 'create', '-q', '-f', 'qcow2', disk, '8M');
  await run('truncate', '--size', '8M', base);
  await writeFile(log, '');
  const script = [
    'write -P 1 0 64k',
    'flush',
    'write -P 2 4096 512',
    'write -P 4 2M 128k',
    'discard 2M 64k',
    'write -z 8k 4k',
    'write -P 3 1M 1536',
  ];
  const [, image] = loggedDrive('disk', disk, log);
  await run(
    'qemu-io',
    ...script.flatMap((command) => ['-c', command]),
    `json:${image?.replace('"node-name":"disk",', '')}`,
  );
  const raw = join(place.path, 'end.raw');
  await run('qemu-img', 'convert', '-O', 'raw', disk, raw);
  let whole = 0;
  {
    await using written = await WriteLog.open(log);
    expect(written.entries.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['write', 'flush', 'discard']));
    await using cuts = await CutDisks.open(base, written);
    await using end = await cuts.make({ after: written.entries.length, lost: [], why: 'all of it' });
    expect(await sameBytes(end.path, raw)).toBe(true);
    whole = written.entries.length;
  }
  await using file = await open(log, 'r+');
  const { size } = await file.stat();
  await file.truncate(size - 100);
  await using cut = await WriteLog.open(log);
  expect(cut.entries.length).toBeLessThan(whole);
});
