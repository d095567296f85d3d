import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../foundation/clock.ts';
import type { BootEntry, BootPointer } from '../machine/boot-pointer.ts';
import { renderTries } from '../machine/boot-pointer-block.ts';
import { renderBootFailure } from '../machine/boot-records.ts';
import { renderPointerConfig } from '../machine/boot-script-grub.ts';
import { renderEnvironment } from '../machine/environment-block.ts';
import { bootPartitionPaths, type InstalledLayout } from '../machine/installed-layout.ts';
import { serialConsole } from '../machine/kernel-options.ts';
import { mountBootPartition } from './boot-mount.ts';
import { BootPartition, bootMountPoint, type EntryFiles } from './boot-partition.ts';
import { makeBootFileSystem } from './filesystem.ts';
import { copyGrubModules, grubDirectory } from './grub.ts';
import type { Processes } from './run.ts';

/** What a boot partition is made of. */
export interface BootPartitionWish {
  device: string;
  /** Of its file system. */
  uuid: string;
  /** Where it is mounted meanwhile. Default: `/run/imprint/boot`. */
  mountAt?: string;
  /** Where GRUB's modules are. Default: `/usr/lib/grub`. */
  grub?: string;
  layout: InstalledLayout;
  /** The first entry, which the pointer calls good. */
  entry: BootEntry | Omit<BootEntry, 'files'>;
  files: EntryFiles;
  /** Seconds that the menu waits. */
  timeout: number;
}

/**
 * Makes a boot partition, whatever was on the device: file system, GRUB's modules and menu, records, the first entry, and last the pointer.
 * Nothing in it boots before. GRUB's core, which finds it by its UUID, is the caller's to write after it.
 *
 * Errors: `process-failed`, `tool-missing`, `disk-full`, `boot-partition-unfit`, `io-failed`.
 */
export async function makeBootPartition(
  processes: Processes,
  wish: BootPartitionWish,
  signal?: AbortSignal,
): Promise<{ pointer: BootPointer; entry: BootEntry }> {
  const { device, uuid, mountAt = bootMountPoint, grub = grubDirectory, layout, entry } = wish;
  await makeBootFileSystem(processes, { device, uuid }, signal);
  {
    await using mount = await mountBootPartition(processes, systemClock, {
      device,
      directory: mountAt,
      readOnly: false,
    });
    const at = (path: string) => join(mount.directory, path);
    for (const path of ['imprint', bootPartitionPaths.slots, bootPartitionPaths.grub]) await mkdir(at(path));
    const serial = serialConsole(entry.kernelOptions);
    const config = renderPointerConfig({
      boot: uuid,
      timeout: wish.timeout,
      ...(serial && { serial }),
      ...(layout.host && { host: layout.host.uuid }),
    });
    await write(at(bootPartitionPaths.layout), `${JSON.stringify(layout, null, 2)}\n`);
    for (const path of bootPartitionPaths.pointers) await write(at(path), renderEnvironment([]));
    await write(at(bootPartitionPaths.tries), renderTries({ sequence: 0, left: 0 }));
    await write(at(bootPartitionPaths.failure), renderBootFailure(undefined));
    await copyGrubModules(at(bootPartitionPaths.grub), grub);
    await write(at(`${bootPartitionPaths.grub}/grub.cfg`), config);
  }
  signal?.throwIfAborted();
  await using partition = await BootPartition.open(processes, device, { mountAt });
  const whole = await partition.addEntry(entry, wish.files);
  const pointer = await partition.writePointer({ good: whole.id, tries: 0 });
  return { pointer, entry: whole };
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await using handle = await open(path, 'w', 0o600);
  await handle.writeFile(content);
  await handle.sync();
}
