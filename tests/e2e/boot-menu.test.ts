import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { prepareMenu } from '../../src/operations/boot/make-menu.ts';
import { prepareMend } from '../../src/operations/boot/mend-boot.ts';
import { prepareRestore } from '../../src/operations/boot/restore-boot.ts';
import { saveBoot } from '../../src/operations/boot/save-boot.ts';
import { writeFatFiles } from '../../src/system/fat-files.ts';
import { installBiosBoot, installUefiBoot, makeCoreFor, makeGrubCore } from '../../src/system/grub.ts';
import { makeBootPartition } from '../../src/system/make-boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { mebibyte, run, write } from '../integration/boot-disk-image.ts';
import { type LoopDisk, loopDisk } from '../integration/loop-disk.ts';
import { windowsProgram, windowsRecord } from '../lab/foreign-system.ts';
import { grubKernel } from '../lab/grub-kernel.ts';
import { grubMachine } from '../lab/grub-machine.ts';

const boot = '00000000-0000-4000-8000-000000000003';
const other = '00000000-0000-4000-8000-000000000004';
const place = (mib: number) => mib * 2048;

/** Each firmware with the entry that stands for Windows: a boot record, or a program on the ESP. */
const machines = [
  ['bios', 'record-5'],
  ['uefi', 'windows-2'],
] as const;

for (const [firmware, windows] of machines) {
  it(`starts three systems of one disk from the menu on ${firmware}, also after it was destroyed`, {
    timeout: 400_000,
  }, async () => {
    await using disk = await loopDisk(176 * mebibyte);
    const { device, directory } = disk;
    await makeMachine(disk);
    const context = { processes: systemProcesses, clock: systemClock, mountAt: join(directory, 'boot') };
    const starts = async (entry: string): Promise<string> => {
      run('blockdev', ['--flushbufs', `${device}p3`]);
      const menu = await prepareMenu(context, { disk: device, default: entry, timeout: 0 }, Task.silent());
      await menu.write(Task.silent());
      return booted(disk, firmware, entry);
    };
    expect(await starts('imprint')).toMatch(/KERNEL ours: .*imprint\.kind=good/);
    expect(await starts('debian-4')).toMatch(/KERNEL theirs: .*from=their-own-menu/);
    expect(await starts(windows)).toMatch(/WINDOWS-BY-/);

    // What a person does who takes the wrong disk: table, core and ESP are gone. A copy brings all of it back.
    const copy = join(directory, 'copy.tar.gz');
    await saveBoot(context, { file: copy, disk: device, force: false }, Task.silent());
    await write(device, 0, Buffer.alloc(3 * mebibyte));
    const undo = join(directory, 'undo.tar.gz');
    await using prepared = await prepareRestore(
      context,
      { file: copy, disk: device, undo, force: false },
      Task.silent(),
    );
    await prepared.apply(Task.silent());
    expect(await booted(disk, firmware, 'restored')).toMatch(/WINDOWS-BY-/);

    // And where there was no copy, our own system at least.
    await write(device, 0, Buffer.alloc(3 * mebibyte));
    const mend = await prepareMend(context, { disk: device, all: false, undo: `${undo}.2` }, Task.silent());
    await mend.apply(Task.silent());
    expect(await starts('imprint')).toMatch(/KERNEL ours: .*imprint\.kind=good/);
  });
}

/** The first line that whatever starts says on the serial line. */
async function booted(disk: LoopDisk, firmware: 'bios' | 'uefi', name: string): Promise<string> {
  run('blockdev', ['--flushbufs', disk.device]);
  await using machine = await grubMachine(disk, firmware, `${firmware}-${name}`);
  return await machine.serial.expect(/(IMPRINT-KERNEL|WINDOWS-BY-)[^\n]*\n/, 90_000, 0);
}

/** Ours, a Debian of somebody else with its own GRUB on both platforms, and what stands for Windows. */
async function makeMachine({ device, directory }: LoopDisk): Promise<void> {
  const script = [
    'label: gpt',
    `start=${place(1)}, size=${place(1)}, type=21686148-6449-6E6F-744E-656564454649`,
    `start=${place(2)}, size=${place(40)}, type=U`,
    `start=${place(42)}, size=${place(64)}, type=L`,
    `start=${place(106)}, size=${place(60)}, type=L`,
    `start=${place(166)}, size=${place(4)}, type=L`,
  ];
  run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', device], `${script.join('\n')}\n`);
  run('partx', ['--add', device]);
  run('mformat', ['-i', `${device}p2`, '-F', '-T', String(place(40)), '-N', 'CAFE1234', '::']);
  await makeBootPartition(systemProcesses, {
    ...{ device: `${device}p3`, uuid: boot, mountAt: join(directory, 'boot'), timeout: 0 },
    layout: { format: 1, layout: 'single', boot, esp: 'CAFE-1234', slots: [] },
    entry: {
      ...{ id: 'a-1', slot: 'a', title: 'web:1', digest: `sha256:${'0'.repeat(64)}`, reference: 'web:1' },
      ...{ kernelVersion: '6.1', kernelOptions: [], created: '2026-01-01T00:00:00Z' },
    },
    files: { vmlinuz: grubKernel('ours') },
  });
  const theirs = {
    uuid: other,
    prefix: '/boot/grub',
    modules: ['part_gpt', 'ext2', 'linux', 'configfile', 'boot', 'search'],
  };
  await makeTree(directory, `${device}p4`, {
    'etc/os-release': 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    'boot/grub/grub.cfg': `search --fs-uuid --set=root ${other}\nlinux /boot/vmlinuz-6.1 from=their-own-menu\nboot\n`,
    'boot/grub/i386-pc/core.img': await makeCoreFor(systemProcesses, 'i386-pc', theirs),
    'boot/vmlinuz-6.1': grubKernel('theirs'),
  });
  const windows = await makeGrubCore(systemProcesses, 'x86_64-efi', windowsProgram);
  await onEsp(
    directory,
    `${device}p2`,
    'EFI/debian/grubx64.efi',
    await makeCoreFor(systemProcesses, 'x86_64-efi', theirs),
  );
  await onEsp(directory, `${device}p2`, 'EFI/Microsoft/Boot/bootmgfw.efi', windows);
  await write(`${device}p5`, 0, windowsRecord());
  await installUefiBoot(systemProcesses, { esp: `${device}p2`, bootUuid: boot });
  const target = { disk: device, partition: `${device}p1`, start: place(1), size: place(1), bootUuid: boot };
  await installBiosBoot(systemProcesses, target);
}

async function makeTree(
  work: string,
  device: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  const tree = join(work, 'tree');
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), content);
  }
  run('mke2fs', ['-q', '-F', '-t', 'ext4', '-U', other, '-d', tree, device]);
}

async function onEsp(work: string, device: string, path: string, content: Uint8Array): Promise<void> {
  const from = join(work, 'program');
  await writeFile(from, content);
  await writeFatFiles(systemProcesses, { path: device, offset: 0 }, [{ path, from }], new AbortController().signal);
}
