import { constants, type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import { bootCodeLength } from '../machine/grub-core.ts';
import { type PartitionTable, partitionPath, renderAdded, renderSfdisk } from '../machine/partition-table.ts';
import type { Processes } from './run.ts';

/** Bytes at either end of a disk that are zeroed: boot code, both partition tables, what hides behind them. */
const edge = 4 * 1024 ** 2;
const toolPatience = 120_000;

/**
 * Opens a disk for this process alone. The kernel refuses while anything on it is mounted, swapped to or held by RAID or LVM:
 * `disk-in-use`, whatever was seen earlier.
 */
export async function openDiskExclusively(disk: string): Promise<FileHandle> {
  try {
    return await open(disk, constants.O_RDWR | constants.O_EXCL);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EBUSY') throw thrown;
    throw new ImprintError(
      'disk-in-use',
      { disk, machine: 'this machine', use: 'the kernel holds it' },
      { cause: thrown },
    );
  }
}

/**
 * Takes off a disk all that anything would recognise: signatures in its partitions and on itself, boot code, partition
 * tables. Errors: `disk-in-use` before anything is written; `process-failed`, `io-failed`.
 */
export async function wipeDisk(processes: Processes, disk: string, signal?: AbortSignal): Promise<void> {
  const options = { timeout: toolPatience, ...(signal && { signal }) };
  const handle = await openDiskExclusively(disk);
  await handle.close();
  for (const partition of await partitionsOf(disk))
    await processes.run('wipefs', ['--all', '--force', partition], options);
  await processes.run('wipefs', ['--all', '--force', disk], options);
  await zeroEdges(disk);
  await dropPartitions(processes, disk);
}

/**
 * Takes out of some partitions of a disk all that anything would recognise, and the disk's boot code (440 bytes; the table stays). Errors: as
 * `wipeDisk`.
 */
export async function clearPartitions(
  processes: Processes,
  disk: string,
  partitions: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const options = { timeout: toolPatience, ...(signal && { signal }) };
  await using handle = await openDiskExclusively(disk);
  const there = await partitionsOf(disk);
  // After a cut some may be gone from the kernel, and from the table, already.
  for (const partition of partitions.filter((each) => there.includes(each))) {
    await processes.run('wipefs', ['--all', '--force', partition], options);
  }
  await handle.write(Buffer.alloc(bootCodeLength), 0, bootCodeLength, 0);
  await handle.sync();
}

/**
 * Takes entries out of a partition table and adds others, so that no other entry changes, and has the kernel see it. Errors: as
 * `writePartitionTable`.
 */
export async function changePartitionTable(
  processes: Processes,
  disk: string,
  change: { table: PartitionTable; remove: readonly number[] },
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  await editPartitionTable(processes, disk, change, signal);
  await showPartitions(processes, disk, change.table, clock, signal);
}

/** The same without a kernel: for a disk, or the file of one. */
export async function editPartitionTable(
  processes: Processes,
  disk: string,
  { table, remove }: { table: PartitionTable; remove: readonly number[] },
  signal?: AbortSignal,
): Promise<void> {
  const options = { timeout: toolPatience, ...(signal && { signal }) };
  const quiet = ['--quiet', '--no-reread', '--no-tell-kernel'];
  // The last first: deleting one of an MBR's chain renumbers those behind it.
  const numbers = [...remove].sort((left, right) => right - left).map(String);
  if (numbers.length > 0) await processes.run('sfdisk', [...quiet, '--delete', disk, ...numbers], options);
  const args = [...quiet, '--append', '--wipe', 'never', '--wipe-partitions', 'always', disk];
  await processes.run('sfdisk', args, { ...options, input: renderAdded(disk, table) });
}

/** Writes a partition table and has the kernel see it. Errors: `process-failed`, `step-failed`-worthy `io-failed`. */
export async function writePartitionTable(
  processes: Processes,
  disk: string,
  table: PartitionTable,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  const options = { timeout: toolPatience, ...(signal && { signal }) };
  const args = ['--quiet', '--no-reread', '--no-tell-kernel', '--wipe', 'always', '--wipe-partitions', 'always', disk];
  await processes.run('sfdisk', args, { ...options, input: renderSfdisk(table) });
  await showPartitions(processes, disk, table, clock, signal);
}

/** Has the kernel see the partitions of a table that is on the disk. */
async function showPartitions(
  processes: Processes,
  disk: string,
  table: PartitionTable,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> {
  const options = { timeout: toolPatience, ...(signal && { signal }) };
  await dropPartitions(processes, disk);
  // BLKPG by partx works on every device, also where the kernel cannot read a table itself; what the kernel has found
  // by then is "busy", and is checked below like the rest.
  await processes.run('partx', ['--add', disk], { ...options, accept: [0, 1] });
  await settle(processes);
  for (let attempt = 0; ; attempt += 1) {
    const problem = await tableProblem(disk, table);
    if (problem === undefined) return;
    if (attempt === 20) {
      throw new ImprintError('io-failed', { operation: 'reading the partition table of', path: disk, problem });
    }
    if (attempt === 5) await processes.run('blockdev', ['--rereadpt', disk], { ...options, accept: [0, 1] });
    await clock.sleep(250, signal);
  }
}

/** Devices of a disk's partitions as the kernel has them now. */
export async function partitionsOf(disk: string): Promise<string[]> {
  const name = basename(disk);
  const children = await readdir(`/sys/class/block/${name}`).catch(() => []);
  return children.filter((child) => child.startsWith(name)).map((child) => `/dev/${child}`);
}

/** Waits until all that was written to a device is on it. */
export async function flushDevice(device: string): Promise<void> {
  await using handle = await open(device, 'r+');
  await handle.sync();
}

async function zeroEdges(disk: string): Promise<void> {
  await using handle = await open(disk, 'r+');
  const size = await deviceSize(disk);
  const piece = Buffer.alloc(Math.min(edge, size));
  await handle.write(piece, 0, piece.length, 0);
  await handle.write(piece, 0, piece.length, size - piece.length);
  await handle.sync();
}

/** Bytes of a block device, from `/sys` (always in units of 512). */
export async function deviceSize(device: string): Promise<number> {
  // By its number: an imager without udev's rules makes volumes other names than the kernel's.
  const { rdev } = await stat(device);
  const major = (rdev >>> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  return Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, 'utf8')) * 512;
}

async function dropPartitions(processes: Processes, disk: string): Promise<void> {
  if ((await partitionsOf(disk)).length === 0) return;
  await processes.run('partx', ['--delete', disk], { timeout: toolPatience, accept: [0, 1] });
}

async function settle(processes: Processes): Promise<void> {
  const running = await open('/run/udev/control').then(
    (handle) => handle.close().then(() => true),
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
  if (running) await processes.run('udevadm', ['settle', '--timeout=20'], { timeout: 30_000, accept: [0, 1] });
}

/** What the kernel sees other than it should, undefined where each partition is there with its device. */
async function tableProblem(disk: string, table: PartitionTable): Promise<string | undefined> {
  const scale = table.sectorSize / 512;
  // The kernel shows two sectors of an extended partition.
  for (const { number, start, size } of table.partitions.filter(({ role }) => role !== 'extended')) {
    const device = partitionPath(disk, number);
    const base = `/sys/class/block/${basename(device)}`;
    const [seenStart, seenSize] = await Promise.all(
      ['start', 'size'].map((name) => readFile(`${base}/${name}`, 'utf8').catch(() => '')),
    );
    if (Number(seenStart) !== start * scale || Number(seenSize) !== size * scale) {
      return `the kernel does not see partition ${number} as it was written`;
    }
    const there = await open(device).then(
      (handle) => handle.close().then(() => true),
      () => false,
    );
    if (!there) return `${device} does not appear`;
  }
  return undefined;
}
