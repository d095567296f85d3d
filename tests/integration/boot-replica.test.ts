import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import type { BootEntry } from '../../src/machine/boot-pointer.ts';
import type { InstalledLayout } from '../../src/machine/installed-layout.ts';
import { bootReplicas, replicaProblems, replicaProblemsPath } from '../../src/operations/update/boot-replicas.ts';
import { mountBootPartition } from '../../src/system/boot-mount.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { makeReplica } from '../../src/system/boot-replica.ts';
import { makeBootPartition } from '../../src/system/make-boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const uuids = ['5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7b01', '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7b02'] as const;
const [uuid, other] = uuids;
const kernel = Buffer.alloc(3_000_000, 'kernel');
const size = 64 * 1024 ** 2;

it('copies a boot partition to another disk, and keeps it alike whatever changes', async () => {
  await using first = await loopDisk(size);
  await using second = await loopDisk(size);
  const layout = await made(first, [...uuids]);
  await copied(first, second);
  expect(grub(second, '/grub/grub.cfg')).toContain(`set imprint_uuid=${other}`);
  expect(grub(second, '/grub/grub.cfg')).not.toContain(uuid);
  expect(grub(first, '/grub/grub.cfg')).toContain(`set imprint_uuid=${uuid}`);
  expect(layout.boots).toEqual([...uuids]);
  {
    await using partition = await open(first);
    await partition.addEntry(entry('b-2'), { vmlinuz: kernel, initrd: Buffer.alloc(500_000, 'initrd') });
    await partition.writePointer({ good: 'a-1', trial: 'b-2', tries: 3 });
  }
  expect(await problems()).toBe('');
  expect(await seen(second)).toEqual({
    pointer: { sequence: 2, good: 'a-1', trial: 'b-2', tries: 3 },
    ids: ['a-1', 'b-2'],
  });
  expect(grub(second, '/imprint/b.env')).toContain('trial=b-2');
  expect(grub(second, '/slots/b-2/vmlinuz').length).toBe(kernel.length);
  {
    await using partition = await open(first);
    await partition.writePointer({ good: 'b-2', tries: 0 });
    await partition.writePointer({ good: 'b-2', tries: 0 });
    await partition.removeEntry('a-1');
  }
  expect(await seen(second)).toEqual({ pointer: { sequence: 4, good: 'b-2', tries: 0 }, ids: ['b-2'] });
  // Started from the second disk, that one counts.
  {
    await using partition = await open(second);
    await partition.addEntry(entry('c-3'), { vmlinuz: kernel });
    await partition.writePointer({ good: 'c-3', previous: 'b-2', tries: 0 });
  }
  expect(await seen(first)).toEqual({
    pointer: { sequence: 5, good: 'c-3', previous: 'b-2', tries: 0 },
    ids: ['b-2', 'c-3'],
  });
  expect(grub(first, '/grub/grub.cfg')).toContain(`set imprint_uuid=${uuid}`);
});

it('brings a disk that was away to what the other one learned meanwhile, whichever the machine is started from', async () => {
  await using first = await loopDisk(size);
  await using second = await loopDisk(size);
  await made(first, [...uuids]);
  await copied(first, second);
  {
    // The first disk is away: nothing is kept alike.
    const mountAt = join(second.directory, 'boot');
    await using alone = await BootPartition.open(systemProcesses, second.device, { mountAt });
    await alone.addEntry(entry('b-2'), { vmlinuz: kernel });
    for (let times = 0; times < 2; times += 1) await alone.writePointer({ good: 'b-2', tries: 0 });
    await alone.removeEntry('a-1');
  }
  {
    await using back = await open(first);
    expect(await back.pointer()).toMatchObject({ sequence: 3, good: 'b-2' });
  }
  for (const disk of [first, second])
    expect(await seen(disk)).toMatchObject({ pointer: { good: 'b-2' }, ids: ['b-2'] });
  expect(grub(first, '/imprint/b.env')).toContain('good=b-2');
  expect(grub(first, '/grub/grub.cfg')).toContain(`set imprint_uuid=${uuid}`);
  expect(grub(first, '/grub/grub.cfg')).not.toContain(other);
});

it('goes on with a disk gone, and says so', async () => {
  await using first = await loopDisk(size);
  await made(first, [uuid, '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7bff']);
  {
    await using partition = await open(first);
    await partition.writePointer({ good: 'a-1', tries: 0 });
  }
  expect(await problems()).toMatch(/7bff is not there: its disk cannot start/);
  expect(await replicaProblems()).toHaveLength(1);
  expect((await seen(first)).pointer).toEqual({ sequence: 2, good: 'a-1', tries: 0 });
});

async function made(disk: LoopDisk, boots: string[]): Promise<InstalledLayout> {
  const layout: InstalledLayout = { format: 1, layout: 'single', boot: uuid, esp: '1234-ABCD', slots: [], boots };
  await makeBootPartition(systemProcesses, {
    ...{ device: disk.device, uuid, mountAt: join(disk.directory, 'boot'), layout },
    ...{ entry: entry('a-1'), files: { vmlinuz: kernel }, timeout: 2 },
  });
  return layout;
}

async function copied(from: LoopDisk, to: LoopDisk): Promise<void> {
  const wish = { device: from.device, directory: join(from.directory, 'boot'), readOnly: true };
  await using source = await mountBootPartition(systemProcesses, systemClock, wish);
  const mountAt = join(to.directory, 'copy');
  await makeReplica(systemProcesses, systemClock, {
    ...{ source: source.directory, device: to.device, uuid: other, mountAt },
  });
}

function open(disk: LoopDisk): Promise<BootPartition> {
  return BootPartition.open(systemProcesses, disk.device, {
    mountAt: join(disk.directory, 'boot'),
    replicas: bootReplicas({ processes: systemProcesses, clock: systemClock }),
  });
}

async function seen(disk: LoopDisk) {
  await using partition = await BootPartition.open(systemProcesses, disk.device, {
    mountAt: join(disk.directory, 'look'),
    readOnly: true,
  });
  return { pointer: await partition.pointer(), ids: (await partition.entries()).map(({ id }) => id) };
}

function problems(): Promise<string> {
  return readFile(replicaProblemsPath, 'utf8');
}

/** As GRUB reads it: without a journal replayed. */
function grub({ file }: LoopDisk, path: string): string {
  return execFileSync('grub-fstest', [file, 'cat', `(loop0)${path}`], { encoding: 'latin1', maxBuffer: 2 ** 24 });
}

function entry(id: string): Omit<BootEntry, 'files'> {
  return {
    ...{ id, slot: 'root', reference: 'web:1', digest: `sha256:${'a'.repeat(64)}`, title: id },
    ...{ kernelVersion: '6.1', kernelOptions: ['root=UUID=x'], created: '2026-01-01T00:00:00Z' },
  };
}
