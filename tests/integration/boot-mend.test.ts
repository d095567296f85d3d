import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { checkBoot } from '../../src/operations/boot/check-boot.ts';
import { prepareMend } from '../../src/operations/boot/mend-boot.ts';
import { prepareRestore } from '../../src/operations/boot/restore-boot.ts';
import { installBiosBoot, installUefiBoot } from '../../src/system/grub.ts';
import { makeBootPartition } from '../../src/system/make-boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { espFile, gptImage, mebibyte, read, run, write } from './boot-disk-image.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const context = { processes: systemProcesses, clock: systemClock };
const boot = '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7a01';
const place = (mib: number) => mib * 2048;

/** A disk as an install leaves it: BIOS boot, ESP, boot partition. */
async function install({ device, directory }: LoopDisk): Promise<void> {
  const script = [
    'label: gpt',
    `start=${place(1)}, size=${place(1)}, type=21686148-6449-6E6F-744E-656564454649`,
    `start=${place(2)}, size=${place(40)}, type=U`,
    `start=${place(42)}, size=${place(64)}, type=L`,
  ];
  run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', device], `${script.join('\n')}\n`);
  run('partx', ['--add', device]);
  run('mformat', ['-i', `${device}p2`, '-F', '-T', String(place(40)), '-N', 'CAFE1234', '::']);
  await makeBoot(`${device}p3`, directory);
  const target = { disk: device, partition: `${device}p1`, start: place(1), size: place(1), bootUuid: boot };
  await installBiosBoot(systemProcesses, target);
  await installUefiBoot(systemProcesses, { esp: `${device}p2`, bootUuid: boot });
  run('blockdev', ['--flushbufs', device]);
}

async function makeBoot(device: string, directory: string): Promise<void> {
  await makeBootPartition(systemProcesses, {
    ...{ device, uuid: boot, mountAt: join(directory, 'mounted'), timeout: 2 },
    layout: { format: 1, layout: 'single', boot, esp: 'CAFE-1234', slots: [] },
    entry: {
      ...{ id: 'a-1', slot: 'a', title: 'web:1', digest: `sha256:${'0'.repeat(64)}`, reference: 'web:1' },
      ...{ kernelVersion: '6.1', kernelOptions: [], created: '2026-01-01T00:00:00Z' },
    },
    files: { vmlinuz: Buffer.from('kernel') },
  });
}

it('makes a disk of Imprint boot again without a copy, byte for byte as the install made it', async () => {
  await using disk = await loopDisk(112 * mebibyte);
  await install(disk);
  const { device, directory, file } = disk;
  run('partx', ['--delete', device]);
  const [front, program] = [await read(file, 0, 2 * mebibyte), espFile(file, 2, 'EFI/BOOT/BOOTX64.EFI')];
  const undo = join(directory, 'undo.tar.gz');
  const prepare = () => prepareMend(context, { disk: device, all: false, undo }, Task.silent());
  expect((await prepare()).steps).toEqual([]);
  // `dd if=/dev/zero of=DISK bs=1M count=3`: the table, the core, and the beginning of the ESP.
  await write(device, 0, Buffer.alloc(3 * mebibyte));
  const broken = await readFile(file);
  expect(await checkBoot(context, { disk: device }, Task.silent())).toMatchObject({ problem: expect.any(String) });
  const prepared = await prepare();
  expect(prepared.steps).toEqual([
    'make anew the partition table, from its backup',
    'make anew the guard of the GPT in the first sector',
    expect.stringContaining('the ESP, partition 2, with EFI/BOOT/BOOTX64.EFI'),
    expect.stringContaining('GRUB’s core'),
    'make anew the boot code in the first sector',
  ]);
  expect((await readFile(file)).equals(broken)).toBe(true);
  await prepared.apply(Task.silent());
  expect((await read(file, 0, 2 * mebibyte)).equals(front)).toBe(true);
  expect(espFile(file, 2, 'EFI/BOOT/BOOTX64.EFI')).toBe(program);
  expect(run('blkid', ['--probe', '--output', 'export', '--offset', String(2 * mebibyte), file])).toMatch(
    /UUID=CAFE-1234/,
  );
  const { problem, found } = await checkBoot(context, { disk: device }, Task.silent());
  expect(problem).toBeUndefined();
  expect(found.filter(({ state }) => state !== 'good')).toEqual([]);
  expect((await prepare()).steps).toEqual([]);
  expect(found.map(({ says }) => says)).toContain('the good entry, a-1, is whole (web:1, Linux 6.1)');
  run('debugfs', ['-w', '-R', 'rm /slots/a-1/vmlinuz', `${file}?offset=${42 * mebibyte}`]);
  expect(await checkBoot(context, { disk: device }, Task.silent())).toMatchObject({
    problem: 'vmlinuz of the good entry, a-1, is damaged',
  });
  // And all of it can be taken back.
  const wish = { file: undo, disk: device, force: true, parts: ['table' as const] };
  await using back = await prepareRestore(context, wish, Task.silent());
  await back.apply(Task.silent());
  expect((await readFile(file)).subarray(0, 3 * mebibyte).equals(broken.subarray(0, 3 * mebibyte))).toBe(true);
});

it('puts GRUB’s core back into the gap of an MBR disk of Imprint', async () => {
  await using disk = await loopDisk(80 * mebibyte);
  const { device, directory, file } = disk;
  run(
    'sfdisk',
    ['--quiet', '--no-reread', '--no-tell-kernel', device],
    `label: dos\nstart=2048, size=${place(70)}, type=83\n`,
  );
  run('partx', ['--add', device]);
  await makeBoot(`${device}p1`, directory);
  const target = { disk: device, partition: device, start: 1, size: 2047, bootUuid: boot, table: 'mbr' as const };
  await installBiosBoot(systemProcesses, target);
  const front = await read(file, 0, mebibyte);
  const record = front.subarray(440, 512);
  await write(device, 0, Buffer.concat([Buffer.alloc(440), record, Buffer.alloc(mebibyte - 512)]));
  const input = { disk: device, all: false, undo: join(directory, 'undo.tar.gz') };
  await (await prepareMend(context, input, Task.silent())).apply(Task.silent());
  expect((await read(file, 0, mebibyte)).equals(front)).toBe(true);
  await write(device, 0, Buffer.alloc(512));
  const { left, steps } = await prepareMend(context, input, Task.silent());
  expect({ left, steps }).toEqual({ left: [expect.stringContaining('only a safety copy')], steps: [] });
});

it('mends the table alone on a disk of somebody else', async () => {
  await using image = await gptImage(512, 8);
  const before = await readFile(image.file);
  await write(image.file, 0, Buffer.alloc(512));
  await write(image.file, before.length - 512, Buffer.alloc(512));
  const undo = join(image.directory, 'undo.tar.gz');
  const prepared = await prepareMend(context, { disk: image.file, all: false, undo }, Task.silent());
  expect(prepared.left.join()).toMatch(/did not install this disk/);
  await prepared.apply(Task.silent());
  // All but the boot code, of which nothing is left; and the guard's numbers for disks of cylinders.
  const after = await readFile(image.file);
  expect(after.subarray(512).equals(before.subarray(512))).toBe(true);
  expect(run('sfdisk', ['--verify', image.file])).toMatch(/No errors detected|unallocated/);
});
