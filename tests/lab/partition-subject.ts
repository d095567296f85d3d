import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootEntry } from '../../src/machine/boot-pointer.ts';
import type { InstalledLayout } from '../../src/machine/installed-layout.ts';
import type { RootFileSystem } from '../../src/machine/root-file-system.ts';
import { forgetting, withTrial } from '../../src/machine/trial.ts';
import { makeRootFileSystem } from '../../src/system/filesystem.ts';
import { makeBootPartition } from '../../src/system/make-boot-partition.ts';
import { mountDevice } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { mountFile } from './partition-file.ts';
import { treeProblems } from './small-versions.ts';
import { openBoot, regionOf, type SubjectDisk, turnPointer, type UpdateSubject } from './update-subject.ts';

const slotSize = 320 << 20;
const slots = ['a', 'b'];

/** Two system partitions, filled in turn. `versions`: the directory of the trees. */
export function partitionSubject(fileSystem: RootFileSystem, versions: string): UpdateSubject {
  const partitionOf = (slot: string) => 2 + slots.indexOf(slot);
  return {
    title: `partition slots on ${fileSystem}`,
    partitions: [slotSize, slotSize],
    partitionOf,
    async install(disk, version) {
      const uuids = slots.map(() => randomUUID());
      for (const [index, uuid] of uuids.entries()) {
        const device = `${disk.device}p${partitionOf(slots[index] ?? '')}`;
        await makeRootFileSystem(systemProcesses, { device, fileSystem, uuid, size: slotSize, inodes: 4096 });
      }
      await fill(disk, `${disk.device}p${partitionOf('a')}`, fileSystem, join(versions, version));
      const layout: InstalledLayout = {
        format: 1,
        layout: 'slots',
        boot: randomUUID(),
        esp: '1234-ABCD',
        slots: slots.map((name, index) => ({
          name,
          uuid: uuids[index] ?? '',
          partitionUuid: randomUUID(),
          fileSystem,
        })),
      };
      await makeBootPartition(systemProcesses, {
        device: `${disk.device}p1`,
        uuid: layout.boot,
        mountAt: join(disk.work, 'boot'),
        layout,
        entry: entryOf('a', version),
        files: await filesOf(join(versions, version)),
        timeout: 0,
      });
    },
    async update(disk, version) {
      const { slot, old } = await freeSlot(disk);
      if (old.length > 0) await forget(disk, old);
      await fill(disk, `${disk.device}p${partitionOf(slot)}`, fileSystem, join(versions, version));
      const entry = entryOf(slot, version);
      {
        await using boot = await openBoot(disk);
        await boot.addEntry(entry, await filesOf(join(versions, version)));
      }
      await turnPointer(disk, (pointer) => withTrial(pointer, entry.id, 3));
    },
    async problems(disk, slot, version) {
      await using mounted = await mountFile(disk, await regionOf(disk, partitionOf(slot)), mountOptions(fileSystem));
      return await treeProblems(join(versions, version), mounted.path);
    },
  };
}

/** Copies of a disk share their UUIDs: xfs mounts only one of them without being told. */
export function mountOptions(fileSystem: RootFileSystem): string[] {
  return fileSystem === 'xfs' ? ['nouuid'] : [];
}

/** The slot that is not the good one's, and the entries that boot it. */
async function freeSlot(disk: SubjectDisk): Promise<{ slot: string; old: string[] }> {
  await using boot = await openBoot(disk);
  const [pointer, entries] = [await boot.pointer(), await boot.entries()];
  const good = entries.find(({ id }) => id === pointer?.good);
  const slot = slots.find((name) => name !== good?.slot) ?? '';
  return { slot, old: entries.filter((entry) => entry.slot === slot).map(({ id }) => id) };
}

async function forget(disk: SubjectDisk, entries: readonly string[]): Promise<void> {
  await using boot = await openBoot(disk);
  const pointer = await boot.pointer();
  const next = pointer && forgetting(pointer, entries);
  if (next !== undefined) await boot.writePointer(next);
  for (const id of entries) await boot.removeEntry(id);
}

async function fill(disk: SubjectDisk, device: string, type: RootFileSystem, tree: string): Promise<void> {
  const directory = join(disk.work, 'slot');
  await mkdir(directory, { recursive: true });
  await mountDevice(systemProcesses, { device, directory, type, options: ['rw', ...mountOptions(type)].join() });
  try {
    await systemProcesses.run(
      'rsync',
      ['-aHAX', '--checksum', '--delete', '--exclude=/lost+found', `${tree}/`, `${directory}/`],
      {
        timeout: 120_000,
      },
    );
  } finally {
    await systemProcesses.run('umount', [directory], { timeout: 60_000 });
  }
  await systemProcesses.run('blockdev', ['--flushbufs', device], { timeout: 60_000 });
  await rm(directory, { recursive: true });
}

function entryOf(slot: string, version: string): Omit<BootEntry, 'files'> {
  return {
    id: `${slot}-${version}`,
    slot,
    reference: `web:${version.slice(1)}`,
    digest: `sha256:${version.slice(1).padStart(64, '0')}`,
    title: `web:${version.slice(1)}`,
    kernelVersion: `6.1.${version.slice(1)}`,
    kernelOptions: ['ro', 'panic=30'],
    created: '2026-01-02T03:04:05Z',
  };
}

async function filesOf(tree: string): Promise<{ vmlinuz: string; initrd: string }> {
  const names = await readdir(join(tree, 'boot'));
  const path = (prefix: string) => join(tree, 'boot', names.find((name) => name.startsWith(prefix)) ?? '');
  return { vmlinuz: path('vmlinuz-'), initrd: path('initrd.img-') };
}
