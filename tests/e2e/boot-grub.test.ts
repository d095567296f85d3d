import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { BootEntry } from '../../src/machine/boot-pointer.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { makeRootFileSystem } from '../../src/system/filesystem.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type LoopDisk, loopDisk } from '../integration/loop-disk.ts';
import { grubKernel } from '../lab/grub-kernel.ts';
import { grubBootUuid, grubDisk, grubMachine, onPartition } from '../lab/grub-machine.ts';

/** Firmware, and what the host partition is on it. */
const machines = [
  ['bios', 'btrfs'],
  ['uefi', 'ext4'],
] as const;
// Its own: mkfs.btrfs refuses what another disk of this computer has, and tests run beside each other.
const hostUuid = randomUUID();

for (const [firmware, hostType] of machines) {
  it(`boots by the pointer on ${firmware}, with a host partition of ${hostType}`, { timeout: 230_000 }, async () => {
    await using disk = await loopDisk(256 * 1024 ** 2);
    const { boot, host } = await grubDisk(disk, wish(hostType));
    await makeRootFileSystem(systemProcesses, {
      device: host,
      fileSystem: hostType,
      uuid: hostUuid,
      size: 1e8,
      inodes: 0,
    });
    const mountAt = join(disk.directory, 'boot');
    const changed = async (work: (partition: BootPartition) => Promise<unknown>) => {
      await systemProcesses.run('blockdev', ['--flushbufs', boot]);
      await using partition = await BootPartition.open(systemProcesses, boot, { mountAt });
      await work(partition);
    };

    // A trial that crashes is tried as often as it may, and then no more.
    await changed(async (partition) => {
      await partition.addEntry(entry('b-2'), { vmlinuz: grubKernel('b-2'), initrd: Buffer.from('initrd') });
      await partition.writePointer({ good: 'a-1', trial: 'b-2', tries: 2 });
    });
    expect(await boots(disk, firmware, 4)).toEqual([
      'b-2: root=UUID=b-2 imprint.slot=b-2 imprint.seq=2 imprint.kind=trial imprint.try=1',
      'b-2: root=UUID=b-2 imprint.slot=b-2 imprint.seq=2 imprint.kind=trial imprint.try=0',
      'a-1: root=UUID=a-1 imprint.image=images/1.img "dyndbg=file a.c +p" imprint.slot=a-1 imprint.seq=2 imprint.kind=good',
      'a-1: root=UUID=a-1 imprint.image=images/1.img "dyndbg=file a.c +p" imprint.slot=a-1 imprint.seq=2 imprint.kind=good',
    ]);

    // What follows does not hang on the firmware but for reading a host partition, and UEFI boots slowly here.
    if (firmware === 'uefi') {
      await onPartition(disk, host, hostType, (root) => dropImage(disk, root));
      await changed((partition) => partition.writePointer({ good: 'a-1', previous: 'b-2', tries: 0 }));
      expect((await boots(disk, firmware, 1))[0]).toContain(
        'imprint.slot=new imprint.seq=3 imprint.kind=new imprint.try=2',
      );
      return;
    }

    // A count that cannot be read gives no try; the next record gives its own.
    await changed((partition) => partition.writePointer({ good: 'a-1', trial: 'b-2', tries: 2 }));
    await onPartition(disk, boot, 'ext4', (root) => writeFile(join(root, 'imprint/tries.env'), Buffer.alloc(1024)));
    expect((await boots(disk, firmware, 1))[0]).toContain('imprint.slot=a-1 imprint.seq=3 imprint.kind=good');

    // A hand-dropped image, by loopback, and then no more either; then somebody goes back.
    await changed(async (partition) => {
      await partition.writeTries({ sequence: 0, left: 0 });
      await partition.writePointer({ good: 'a-1', previous: 'b-2', tries: 0 });
    });
    await onPartition(disk, host, hostType, (root) => dropImage(disk, root));
    expect(await boots(disk, firmware, 4)).toEqual([
      ...[2, 1, 0].map(
        (left) =>
          `dropped: root=UUID=a-1 "dyndbg=file a.c +p" imprint.image=hn-root-new.img imprint.slot=new imprint.seq=4 imprint.kind=new imprint.try=${left}`,
      ),
      'a-1: root=UUID=a-1 imprint.image=images/1.img "dyndbg=file a.c +p" imprint.slot=a-1 imprint.seq=4 imprint.kind=good',
    ]);
    await onPartition(disk, host, hostType, async (root) => {
      await rm(join(root, 'hn-root-new.img'));
      await writeFile(join(root, 'system-revert'), '');
    });
    expect((await boots(disk, firmware, 1))[0]).toContain(
      'b-2: root=UUID=b-2 imprint.slot=b-2 imprint.seq=4 imprint.kind=revert',
    );
    await onPartition(disk, host, hostType, (root) => rm(join(root, 'system-revert')));
    expect((await boots(disk, firmware, 1))[0]).toContain('imprint.slot=b-2 imprint.seq=4 imprint.kind=revert');
    await changed(async (partition) => {
      expect(await partition.tries()).toEqual({ sequence: 0, left: 0, revert: 4 });
      await partition.writePointer({ good: 'b-2', previous: 'a-1', tries: 0 });
    });

    // A kernel that is damaged, and then no pointer at all: something that boots, and it says so.
    await onPartition(disk, boot, 'ext4', (root) => truncate(join(root, 'slots/b-2/vmlinuz'), 700));
    expect((await boots(disk, firmware, 1))[0]).toContain('imprint.slot=a-1 imprint.seq=5 imprint.kind=rescue');
    await onPartition(disk, boot, 'ext4', async (root) => {
      await rm(join(root, 'imprint/b.env'));
      await writeFile(join(root, 'imprint/a.env'), Buffer.alloc(1024));
    });
    expect((await boots(disk, firmware, 1))[0]).toContain('imprint.slot=a-1 imprint.seq=0 imprint.kind=rescue');
  });
}

/** The command lines of the next kernels that the machine starts, without what is the same in all. */
async function boots(disk: LoopDisk, firmware: 'bios' | 'uefi', count: number): Promise<string[]> {
  await using machine = await grubMachine(disk, firmware, `grub-${firmware}`);
  const lines: string[] = [];
  let from = 0;
  for (let boot = 0; boot < count; boot += 1) {
    const line = await machine.serial.expect(/IMPRINT-KERNEL [^\n]*\n/, 60_000, from);
    from = machine.serial.mark();
    lines.push(line);
  }
  return lines.map((line) =>
    line
      .replace(/^IMPRINT-KERNEL /, '')
      .replace(/BOOT_IMAGE=\S+ /, '')
      .replace(` imprint.boot=${grubBootUuid}`, '')
      .trim(),
  );
}

function wish(fileSystem: 'ext4' | 'btrfs') {
  const host = { uuid: hostUuid, partitionUuid: hostUuid, fileSystem };
  return {
    layout: { format: 1 as const, layout: 'files' as const, boot: grubBootUuid, esp: '1234-ABCD', slots: [], host },
    entry: entry('a-1', ['imprint.image=images/1.img', 'dyndbg="file a.c +p"']),
    files: { vmlinuz: grubKernel('a-1'), initrd: Buffer.alloc(5000, 'i'), addition: Buffer.from('addition') },
    timeout: 1,
  };
}

function entry(id: string, options: string[] = []): Omit<BootEntry, 'files'> {
  return {
    id,
    slot: id.slice(0, 1),
    reference: 'web:1',
    digest: `sha256:${'0'.repeat(64)}`,
    title: `web:1 · ${id}`,
    kernelVersion: '6.1.0',
    kernelOptions: [`root=UUID=${id}`, ...options],
    created: '2026-01-01T00:00:00Z',
  };
}

/** A file system with a kernel in a file of the host partition, as an administrator copies it there. */
async function dropImage(disk: LoopDisk, root: string): Promise<void> {
  const tree = join(disk.directory, 'tree');
  await mkdir(join(tree, 'boot'), { recursive: true });
  await writeFile(join(tree, 'boot/vmlinuz-6.1.0'), grubKernel('dropped'));
  await writeFile(join(tree, 'boot/initrd.img-6.1.0'), 'initrd');
  const image = join(disk.directory, 'image');
  await writeFile(image, Buffer.alloc(8 * 1024 ** 2));
  await systemProcesses.run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', tree, image]);
  // GRUB reads no extents of btrfs that were reserved and never written, as mke2fs and `rsync --preallocate` leave them.
  await writeFile(join(root, 'hn-root-new.img'), await readFile(image));
}
