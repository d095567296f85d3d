import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { BootEntry } from '../../src/machine/boot-pointer.ts';
import type { InstalledLayout } from '../../src/machine/installed-layout.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { makeBootPartition } from '../../src/system/make-boot-partition.ts';
import { mountPoints } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const uuid = '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7a01';
const layout: InstalledLayout = { format: 1, layout: 'slots', boot: uuid, esp: '1234-ABCD', slots: [] };
const kernel = Buffer.alloc(3_000_000, 'kernel');

it('makes a boot partition, adds and removes entries, and moves the pointer', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  const mountAt = await made(disk);
  await using work = await directory();
  const initrd = join(work.path, 'initrd');
  await writeFile(initrd, Buffer.alloc(5_000_000, 'initrd'));
  {
    await using partition = await BootPartition.open(systemProcesses, disk.device, { mountAt });
    expect(await partition.layout()).toEqual(layout);
    expect(await partition.pointer()).toEqual({ sequence: 1, good: 'a-1', tries: 0 });
    expect(await partition.tries()).toEqual({ sequence: 0, left: 0 });
    const added = await partition.addEntry(entry('b-2'), { vmlinuz: kernel, initrd, addition: Buffer.from('070701') });
    expect(Object.keys(added.files)).toEqual(['vmlinuz', 'initrd', 'addition.cpio']);
    expect((await partition.entries()).map(({ id }) => id)).toEqual(['a-1', 'b-2']);
    await partition.writePointer({ sequence: 2, good: 'a-1', trial: 'b-2', tries: 3 });
    await expect(partition.writePointer({ sequence: 2, good: 'a-1', tries: 0 })).rejects.toThrow('moved on');
    await expect(partition.writePointer({ good: 'a-1', trial: 'c-3', tries: 1 })).rejects.toThrow('no whole entry c-3');
    await expect(partition.removeEntry('b-2')).rejects.toThrow('the pointer names');
    await expect(partition.addEntry(entry('a-1'), { vmlinuz: kernel })).rejects.toThrow('the pointer names');
    await partition.writePointer({ good: 'b-2', previous: 'a-1', tries: 0 });
    await partition.writePointer({ good: 'b-2', tries: 0 });
    await partition.removeEntry('a-1');
    await partition.removeEntry('never-there');
    const failure = { sequence: 3, entry: 'b-2', reason: 'nginx.service „failed“', time: '2026-01-01T00:00:00Z' };
    await partition.writeFailure(failure);
    expect(await partition.failure()).toEqual(failure);
    await partition.writeFailure(undefined);
    expect(await partition.failure()).toBeUndefined();
  }
  expect(await mountPoints()).not.toContain(mountAt);
  await using again = await BootPartition.open(systemProcesses, disk.device, { mountAt, readOnly: true });
  expect(await again.pointer()).toEqual({ sequence: 4, good: 'b-2', tries: 0 });
  expect((await again.entries()).map(({ id }) => id)).toEqual(['b-2']);
});

it('keeps what is there when the disk is full, and refuses files that are not what was promised', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  const mountAt = await made(disk);
  await using partition = await BootPartition.open(systemProcesses, disk.device, { mountAt });
  const large = Buffer.alloc(60_000_000);
  await expect(partition.addEntry(entry('b-2'), { vmlinuz: large })).rejects.toMatchObject({ code: 'disk-full' });
  const promised = { ...entry('b-2'), files: { vmlinuz: 'f'.repeat(64) } };
  await expect(partition.addEntry(promised, { vmlinuz: kernel })).rejects.toThrow('not what was promised');
  expect((await partition.entries()).map(({ id }) => id)).toEqual(['a-1']);
  expect(await partition.addEntry(entry('b-2'), { vmlinuz: kernel })).toMatchObject({ id: 'b-2' });
});

it('lets GRUB read every record and file without a journal replayed, while it is still mounted', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  const mountAt = await made(disk);
  await using partition = await BootPartition.open(systemProcesses, disk.device, { mountAt });
  await partition.addEntry(entry('b-2'), { vmlinuz: kernel });
  const record = await partition.writePointer({ good: 'a-1', trial: 'b-2', tries: 2 });
  const grub = (path: string) =>
    execFileSync('grub-fstest', [disk.file, 'cat', `(loop0)${path}`], { encoding: 'latin1', maxBuffer: 2 ** 24 });
  expect(record.sequence).toBe(2);
  expect(grub('/imprint/b.env')).toContain('trial=b-2');
  expect(grub('/slots/b-2/entry.cfg')).toContain('menuentry');
  expect(grub('/slots/b-2/vmlinuz')).toHaveLength(kernel.length);
});

it('goes on with the other record where one is damaged, and gives no number again that tries were counted for', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  const mountAt = await made(disk);
  {
    await using partition = await BootPartition.open(systemProcesses, disk.device, { mountAt });
    await partition.addEntry(entry('b-2'), { vmlinuz: kernel });
    await partition.writePointer({ good: 'a-1', trial: 'b-2', tries: 2 });
    await partition.writeTries({ sequence: 2, left: 1 });
  }
  await spoil(disk, 'sum=', 4);
  await using partition = await BootPartition.open(systemProcesses, disk.device, { mountAt });
  expect(await partition.pointer()).toMatchObject({ sequence: 1, good: 'a-1' });
  expect(await partition.writePointer({ sequence: 2, good: 'a-1', tries: 0 })).toMatchObject({ sequence: 3 });
  expect(await partition.pointer()).toMatchObject({ sequence: 3 });
});

it('removes what a cut left of an entry, and lets a damaged good one be replaced', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  const mountAt = await made(disk);
  await using partition = await BootPartition.open(systemProcesses, disk.device, { mountAt });
  await mkdir(join(mountAt, 'slots/c-3'));
  await writeFile(join(mountAt, 'slots/c-3/vmlinuz'), Buffer.alloc(30_000_000, 1));
  await writeFile(join(mountAt, 'slots/a-1/vmlinuz'), 'damaged');
  await partition.addEntry(entry('b-2'), { vmlinuz: Buffer.alloc(20_000_000, 2) });
  expect(await readdir(join(mountAt, 'slots'))).toEqual(['a-1', 'b-2']);
  await partition.writePointer({ good: 'a-1', trial: 'b-2', tries: 3 });
  await partition.writePointer({ good: 'b-2', previous: 'a-1', tries: 0 });
  await expect(partition.writePointer({ good: 'a-1', tries: 0 })).rejects.toThrow(
    'vmlinuz of the entry a-1 reads back',
  );
});

it('makes a count of tries that cannot be read anew with the next record', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  const mountAt = await made(disk);
  await spoil(disk, 'form=1', 5, 'form=1');
  await using partition = await BootPartition.open(systemProcesses, disk.device, { mountAt });
  expect(await partition.tries()).toBeUndefined();
  await partition.writePointer({ good: 'a-1', tries: 0 });
  expect(await partition.tries()).toEqual({ sequence: 0, left: 0 });
});

it('opens where a process was killed that had it mounted, and waits for one that has it', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  const mountAt = await made(disk);
  await systemProcesses.run('mount', [disk.device, mountAt]);
  await systemProcesses.run('fsfreeze', ['--freeze', mountAt]);
  const first = await BootPartition.open(systemProcesses, disk.device, { mountAt });
  const second = BootPartition.open(systemProcesses, disk.device, { mountAt });
  await first.writePointer({ good: 'a-1', tries: 0 });
  await first[Symbol.asyncDispose]();
  await using partition = await second;
  expect(await partition.pointer()).toMatchObject({ sequence: 2 });
});

function entry(id: string): Omit<BootEntry, 'files'> {
  return {
    id,
    slot: id.slice(0, 1),
    reference: 'web:1',
    digest: `sha256:${'0'.repeat(64)}`,
    title: 'web:1 · Debian',
    kernelVersion: '6.1.0',
    kernelOptions: ['root=UUID=1', 'console=ttyS0,115200'],
    created: '2026-01-01T00:00:00Z',
  };
}

async function made(disk: LoopDisk): Promise<string> {
  const mountAt = join(disk.directory, 'boot');
  const { device } = disk;
  await makeBootPartition(systemProcesses, {
    device,
    uuid,
    mountAt,
    layout,
    entry: entry('a-1'),
    files: { vmlinuz: kernel },
    timeout: 2,
  });
  return mountAt;
}

/** Changes one byte, `offset` bytes after `text` (where the block `within` begins), on the disk itself. */
async function spoil(disk: LoopDisk, text: string, offset: number, within = 'seq=2\n'): Promise<void> {
  await systemProcesses.run('blockdev', ['--flushbufs', disk.device]);
  await using handle = await open(disk.file, 'r+');
  const { buffer } = await handle.read(Buffer.alloc(64 * 1024 ** 2), 0, 64 * 1024 ** 2, 0);
  const at = buffer.indexOf(text, buffer.indexOf(`# GRUB Environment Block\n${within}`));
  const byte = buffer[at + offset] ?? 0;
  await handle.write(Buffer.from([byte ^ 1]), 0, 1, at + offset);
  await handle.sync();
}

async function directory() {
  const path = await mkdtemp(join(tmpdir(), 'imprint-boot-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
