import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { checkBoot } from '../../src/operations/boot/check-boot.ts';
import { prepareMenu } from '../../src/operations/boot/make-menu.ts';
import { prepareRestore } from '../../src/operations/boot/restore-boot.ts';
import { mountDevice } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { espFile, mebibyte, read, run, write } from './boot-disk-image.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const context = { processes: systemProcesses, clock: systemClock };
const shared = '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7a0a';
const place = (mib: number) => mib * 2048;

/** Divides a disk, gives it a shared partition that is mounted, and a boot record that stands for Windows. Their numbers come last in the script. */
async function machine(disk: LoopDisk, script: readonly string[], share: number, record: number): Promise<string> {
  const { device, directory } = disk;
  run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', device], `${script.join('\n')}\n`);
  run('partx', ['--add', device]);
  run('mke2fs', ['-q', '-F', '-t', 'ext4', '-U', shared, `${device}p${share}`]);
  const sector = Buffer.alloc(512, 0x90);
  sector.writeUInt16LE(0xaa55, 510);
  await write(`${device}p${record}`, 0, sector);
  const mounted = join(directory, 'share');
  await mountDevice(systemProcesses, { device: `${device}p${share}`, directory: mounted, type: 'ext4', options: 'rw' });
  return mounted;
}

it('puts a menu of its own onto a shared partition of an MBR disk, in front of what boots, and takes it back', async () => {
  await using disk = await loopDisk(112 * mebibyte);
  const { device, directory } = disk;
  const script = [
    'label: dos',
    `start=2048, size=${place(64)}, type=83`,
    `start=${place(70)}, size=${place(8)}, type=7, bootable`,
  ];
  const mounted = await machine(disk, script, 1, 2);
  await write(device, 0, Buffer.alloc(440, 0x33));
  const before = await read(device, 0, mebibyte);
  const undo = join(directory, 'undo.tar.gz');
  const wish = { disk: device, on: mounted, undo };
  const prepared = await prepareMenu(context, { ...wish, timeout: 7 }, Task.silent());
  expect(prepared.output).toMatchObject({
    ...{ default: 'record-2', timeout: 7, left: ['UEFI will not start the menu: there is no ESP.'] },
    steps: [
      expect.stringContaining('imprint-menu'),
      expect.stringContaining('in the gap behind the table'),
      expect.stringContaining('boot code'),
    ],
  });
  expect((await read(device, 0, mebibyte)).equals(before)).toBe(true);
  await prepared.write(Task.silent());
  expect(run('grub-fstest', [`${device}p1`, 'cat', '(loop0)/imprint-menu/grub.cfg'])).toBe(prepared.text);
  expect(prepared.text).toMatch(/set timeout=5\n[\s\S]*set timeout=7\n[\s\S]*chainloader \+1/);
  const { found, problem } = await checkBoot(context, { disk: device }, Task.silent());
  expect(problem).toBeUndefined();
  expect(found.map(({ says }) => says)).toContain('GRUB 2; its core lies in the gap behind the table');
  expect((await read(device, 440, 72)).equals(before.subarray(440, 512))).toBe(true);
  expect((await prepareMenu(context, wish, Task.silent())).output.timeout).toBe(7);
  await using back = await prepareRestore(context, { file: undo, disk: device, force: false }, Task.silent());
  await back.apply(Task.silent());
  expect((await read(device, 0, mebibyte)).equals(before)).toBe(true);
});

it('leaves what others have on the ESP, and says how the firmware finds the menu', async () => {
  await using disk = await loopDisk(128 * mebibyte);
  const { device, directory } = disk;
  const script = [
    'label: gpt',
    `start=2048, size=${place(1)}, type=21686148-6449-6E6F-744E-656564454649`,
    `start=${place(2)}, size=${place(16)}, type=U`,
    `start=${place(20)}, size=${place(80)}, type=L`,
    `start=${place(104)}, size=${place(8)}, type=L`,
  ];
  const mounted = await machine(disk, script, 3, 4);
  run('mformat', ['-i', `${device}p2`, '-T', String(place(16)), '::']);
  for (const path of ['EFI', 'EFI/BOOT']) run('mmd', ['-i', `${device}p2`, `::/${path}`]);
  run('mcopy', ['-i', `${device}p2`, '-', '::/EFI/BOOT/BOOTX64.EFI'], 'MZ theirs');
  const input = { disk: device, on: mounted, undo: join(directory, 'undo.tar.gz') };
  const prepared = await prepareMenu(context, input, Task.silent());
  expect(prepared.output.left?.join()).toMatch(/EFI\/BOOT\/BOOTX64.EFI of somebody else.*efibootmgr --create/);
  await prepared.write(Task.silent());
  run('blockdev', ['--flushbufs', device]);
  expect(espFile(device, 2, 'EFI/BOOT/BOOTX64.EFI')).toBe('MZ theirs');
  expect(run('mdir', ['-b', '-i', `${device}p2`, '::/EFI/imprint'])).toMatch(/grubx64\.efi/i);
  const { found } = await checkBoot(context, { disk: device }, Task.silent());
  expect(found.filter(({ state }) => state === 'bad')).toEqual([]);
  expect(found.map(({ says }) => says).join()).toMatch(/its core lies in partition 1.*EFI\/imprint\/grubx64.efi/s);
});

it('refuses a directory that GRUB would not find', async () => {
  await using disk = await loopDisk(16 * mebibyte);
  const refused = (on: string) =>
    prepareMenu(context, { disk: disk.device, on }, Task.silent()).catch((error: Error) => error);
  expect(await refused(join(disk.directory, 'none'))).toMatchObject({ code: 'boot-place-unfit' });
  expect(await refused('/proc')).toMatchObject({ code: 'boot-place-unfit' });
  const file = join(disk.directory, 'file');
  await writeFile(file, '');
  expect(await refused(file)).toMatchObject({ code: 'boot-place-unfit' });
  expect(String(await readFile(file))).toBe('');
});
