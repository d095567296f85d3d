import type { Task } from '../../foundation/task.ts';
import type { SectorRun } from '../../machine/copied-map.ts';
import type { LiveRecord } from '../../machine/live-record.ts';
import type { LiveDevice } from '../../planning/live-tables.ts';
import { liveTables } from '../../planning/live-tables.ts';
import type { Processes } from '../../system/run.ts';
import type { LiveDisk } from './live-disk.ts';
import type { RunningRoot } from './live-origin.ts';
import type { LiveMachine } from './move-root.ts';

/** A root that is in use, and the disk that it moves onto. */
export interface TakeOver {
  disk: Pick<LiveDisk, 'device'> & AsyncDisposable;
  record: LiveRecord;
  running: Pick<RunningRoot, 'origin' | 'changesMoved'>;
  processes: Pick<Processes, 'run'>;
}

/**
 * Has a root that is in use keep its changes on the disk from now on: what it was until now becomes what it is a snapshot of. Where that fails, nothing has changed, and the disk is let go of. Errors:
 * those of the machine.
 */
export async function takeOver(
  machine: Pick<LiveMachine, 'create' | 'replace' | 'remove'>,
  { disk, record, running, processes }: TakeOver,
  task: Task,
): Promise<void> {
  const made: LiveDevice[] = [];
  // So that little is left to be written while nobody may write.
  await processes.run('sync', [], { timeout: 600_000 });
  try {
    for (const { device, table } of liveTables(record, { disk: disk.device, source: running.origin.device })) {
      if (device === 'root') await machine.replace(device, table);
      else await machine.create(device, table);
      made.push(device);
    }
  } catch (error) {
    for (const device of made.reverse()) await machine.remove(device).catch(() => {});
    await disk[Symbol.asyncDispose]();
    throw error;
  }
  await running.changesMoved(task);
  task.log('What is written from now on goes to the disk.');
}

/** What of a root that was in use lies in memory goes to the disk before anything else: from then on a cut need lose nothing. Errors: those of the machine. */
export async function keepRunning(
  machine: Pick<LiveMachine, 'copy' | 'keepCopied'>,
  { running, atOnce }: { running: Pick<RunningRoot, 'kept'>; atOnce: number },
  task: Task,
): Promise<void> {
  const runs = await running.kept();
  const bytes = runs.reduce((sum, { length }) => sum + length * 512, 0);
  task.expect(bytes, 'bytes');
  for (const piece of piecesOf(runs, atOnce)) {
    task.signal.throwIfAborted();
    await machine.copy(piece);
    task.advance(piece.length * 512);
  }
  await machine.keepCopied();
}

/** Runs in pieces that are copied at once. */
export function* piecesOf(runs: readonly SectorRun[], longest: number): Generator<SectorRun> {
  for (const { start, length } of runs) {
    for (let at = 0; at < length; at += longest) yield { start: start + at, length: Math.min(longest, length - at) };
  }
}
