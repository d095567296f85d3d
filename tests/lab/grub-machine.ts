import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import { type PartitionTable, partitionPath } from '../../src/machine/partition-table.ts';
import { makeEsp } from '../../src/system/filesystem.ts';
import { installBiosBoot, installUefiBoot } from '../../src/system/grub.ts';
import { type BootPartitionWish, makeBootPartition } from '../../src/system/make-boot-partition.ts';
import { mountDevice, unmountTree } from '../../src/system/mount.ts';
import { writePartitionTable } from '../../src/system/partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import type { LoopDisk } from '../integration/loop-disk.ts';
import { accelerator } from './accelerator.ts';
import { SerialConsole } from './serial.ts';

const ovmf = '/usr/share/OVMF';
const uuid = (number: number) => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

/** UUID of the boot partition's file system on every `grubDisk`. */
export const grubBootUuid = uuid(3);

/** Where the partitions of a disk are, while it is a loop device. */
export interface GrubDisk {
  boot: string;
  host: string;
}

/** Makes a disk of 256 MiB that boots on either firmware into our GRUB, with a boot partition of 64 MiB and an empty rest. */
export async function grubDisk(
  disk: LoopDisk,
  wish: Omit<BootPartitionWish, 'device' | 'uuid' | 'mountAt'>,
): Promise<GrubDisk> {
  const sectors = (mebibytes: number) => mebibytes * 2048;
  const bios = { number: 1, role: 'bios-boot', start: sectors(1), size: sectors(1), uuid: uuid(1) } as const;
  const table: PartitionTable = {
    ...{ uuid: uuid(0), sectorSize: 512 },
    partitions: [
      bios,
      { number: 2, role: 'esp', start: sectors(2), size: sectors(36), uuid: uuid(2) },
      { number: 3, role: 'boot', start: sectors(38), size: sectors(64), uuid: uuid(4) },
      { number: 4, role: 'host', start: sectors(102), size: sectors(153), uuid: uuid(5) },
    ],
  };
  await writePartitionTable(systemProcesses, disk.device, table, systemClock);
  const partition = (number: number) => partitionPath(disk.device, number);
  await makeEsp(systemProcesses, partition(2), '1234ABCD');
  await makeBootPartition(systemProcesses, {
    ...wish,
    device: partition(3),
    uuid: grubBootUuid,
    mountAt: join(disk.directory, 'boot'),
  });
  const { start, size } = bios;
  const target = { disk: disk.device, partition: partition(1), start, size, bootUuid: grubBootUuid };
  await installBiosBoot(systemProcesses, target);
  await installUefiBoot(systemProcesses, { esp: partition(2), bootUuid: grubBootUuid });
  return { boot: partition(3), host: partition(4) };
}

/** A partition of the disk, mounted for a moment while no machine has it. */
export async function onPartition<Result>(
  disk: LoopDisk,
  device: string,
  type: 'ext4' | 'btrfs' | 'xfs',
  work: (root: string) => Promise<Result>,
): Promise<Result> {
  const directory = join(disk.directory, 'look');
  // A machine has written to the file behind the loop device.
  await systemProcesses.run('blockdev', ['--flushbufs', device]);
  await mountDevice(systemProcesses, { device, directory, type, options: 'rw,noatime' });
  try {
    return await work(directory);
  } finally {
    await unmountTree(systemProcesses, directory, systemClock);
    await systemProcesses.run('blockdev', ['--flushbufs', device]);
  }
}

/** A machine with nothing but that disk and a serial line; goes with `await using`. The disk is written to by it. */
export async function grubMachine(disk: LoopDisk, firmware: 'bios' | 'uefi', name = 'grub') {
  const accel = await accelerator();
  const args = [
    ...['-accel', accel, '-cpu', accel === 'kvm' ? 'host' : 'qemu64', '-smp', '1', '-m', '192'],
    ...['-machine', 'q35,graphics=off', '-nodefaults', '-no-user-config', '-display', 'none', '-serial', 'stdio'],
    ...[
      '-drive',
      `file=${disk.file},format=raw,if=none,id=disk,cache=writeback`,
      '-device',
      'virtio-blk-pci,drive=disk',
    ],
  ];
  if (firmware === 'uefi') {
    const variables = join(disk.directory, `${name}.vars`);
    await copyFile(join(ovmf, 'OVMF_VARS_4M.fd'), variables);
    args.push('-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${join(ovmf, 'OVMF_CODE_4M.fd')}`);
    args.push('-drive', `if=pflash,format=raw,unit=1,file=${variables}`);
  }
  const running = systemProcesses.start('qemu-system-x86_64', args);
  const serial = new SerialConsole(running.stdout, running.stdin, join(disk.directory, `${name}.log`));
  const ended = running.ended.then(
    () => serial.close('powered off'),
    (error: unknown) => serial.close(String(error)),
  );
  return {
    serial,
    ended,
    async [Symbol.asyncDispose]() {
      await running.stop();
      await ended;
    },
  };
}
