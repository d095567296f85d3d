import { ImprintError } from '../foundation/errors.ts';
import type { Processes } from './run.ts';

const patience = 60_000;
/** Names below `/dev/mapper` are made by us: a udev that lies on the very devices that are changed must not be waited for. */
const env = { DM_DISABLE_UDEV: '1' };

/** Brings what a live system's root is made of into the kernel. Errors: `tool-missing`; a driver that is not there shows when a table is loaded. */
export async function loadDeviceMapper(processes: Processes): Promise<void> {
  await processes.run('modprobe', ['--all', '--quiet', 'dm_mod', 'dm_snapshot'], { timeout: patience, accept: [0, 1] });
}

/** Makes a device, `/dev/mapper/NAME`. Errors: `process-failed`, `tool-missing`. */
export async function createMapped(processes: Processes, name: string, table: string): Promise<void> {
  await processes.run('dmsetup', ['create', name], { timeout: patience, env, input: `${table}\n` });
  await processes.run('dmsetup', ['mknodes', name], { timeout: patience, env });
}

/**
 * Gives a device another table, in one moment: what was asked of it before is answered by the old one, what comes later by the new one.
 * It is loaded first and then resumed, which suspends only for as long as the exchange takes. Errors: `process-failed`: the old table stays.
 */
export async function replaceTable(processes: Processes, name: string, table: string): Promise<void> {
  try {
    await processes.run('dmsetup', ['load', name], { timeout: patience, env, input: `${table}\n` });
  } catch (error) {
    await processes.run('dmsetup', ['clear', name], { timeout: patience, env, accept: [0, 1] });
    throw error;
  }
  await processes.run('dmsetup', ['resume', name], { timeout: patience, env });
}

/** Takes a device away; one that is not there is fine. Errors: `process-failed` where something uses it. */
export async function removeMapped(processes: Processes, name: string): Promise<void> {
  const { status } = await processes.run('dmsetup', ['info', name], { timeout: patience, env, accept: [0, 1] });
  if (status === 0) await processes.run('dmsetup', ['remove', name], { timeout: patience, env });
}

/** The table that the kernel has; undefined: there is no such device. */
export async function mappedTable(processes: Processes, name: string): Promise<string | undefined> {
  const { status, stdout } = await processes.run('dmsetup', ['table', name], {
    timeout: patience,
    env,
    accept: [0, 1],
  });
  return status === 0 ? stdout.trim() : undefined;
}

/** How full the store of a snapshot is. */
export interface SnapshotState {
  /** Sectors of 512 bytes: in use, of all, and of these what the kernel needs for its lists. A merge is done when only lists are left. */
  used: number;
  size: number;
  lists: number;
}

/**
 * Undefined: the snapshot is of no use any more (its store was full, or could not be written or read). Errors: `process-failed`; `io-failed` where the kernel gave a
 * merge up, which its table, loaded anew, begins again.
 */
export async function snapshotState(processes: Processes, name: string): Promise<SnapshotState | undefined> {
  const { stdout } = await processes.run('dmsetup', ['status', name], { timeout: patience, env });
  if (/^\d+ \d+ snapshot-merge Merge failed\s*$/.test(stdout)) {
    const problem = 'the kernel cannot bring what was changed to its place';
    throw new ImprintError('io-failed', { operation: 'merging', path: `/dev/mapper/${name}`, problem });
  }
  return parseSnapshotStatus(stdout);
}

/** `0 196608 snapshot-merge 24/389120 16`; `Invalid`, `Overflow` or `Merge failed` in place of numbers. Source: the kernel's `dm-snap.c`. */
export function parseSnapshotStatus(line: string): SnapshotState | undefined {
  const match = /^\d+ \d+ snapshot(?:-merge)? (\d+)\/(\d+) (\d+)\s*$/.exec(line);
  if (match === null) return undefined;
  const [used, size, lists] = match.slice(1).map(Number) as [number, number, number];
  return { used, size, lists };
}
