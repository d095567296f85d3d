import type { Clock } from '../../foundation/clock.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { SectorRun } from '../../machine/copied-map.ts';
import type { LiveRecord } from '../../machine/live-record.ts';
import { type LiveDevice, type LivePlaces, liveTables, nextLivePhase } from '../../planning/live-tables.ts';
import type { SnapshotState } from '../../system/device-mapper.ts';

/** What a move does to the machine; each is done when it resolves, and lasting where that is said. */
export interface LiveMachine {
  create(device: LiveDevice, table: string): Promise<void>;
  replace(device: LiveDevice, table: string): Promise<void>;
  remove(device: LiveDevice): Promise<void>;
  /** Undefined: the store of changes is lost. */
  changes(): Promise<SnapshotState | undefined>;
  /** Copies a run to its place on the disk. Not lasting yet. */
  copy(run: SectorRun): Promise<void>;
  /** Makes lasting what was copied, and writes down that it was. Lasting. */
  keepCopied(): Promise<void>;
  /** Lasting. */
  keepRecord(record: LiveRecord): Promise<void>;
  /** The source is of no use any more: the medium may be pulled out, the network may go. */
  releaseSource(): Promise<void>;
}

/** How often it is looked whether a merge is done; milliseconds. */
const pause = 200;

/** Makes the devices of a live system at its start, as its record says; afterwards the root can be mounted. Errors: those of the machine. */
export async function beginLive(
  machine: Pick<LiveMachine, 'create'>,
  record: LiveRecord,
  places: LivePlaces,
): Promise<void> {
  for (const { device, table } of liveTables(record, places)) await machine.create(device, table);
}

export interface RootMove {
  machine: LiveMachine;
  record: LiveRecord;
  places: LivePlaces;
  /** What is not copied yet, in the order in which it is to be copied; asked for again and again, as needs change. Undefined: it is all there. */
  next(): SectorRun | undefined;
  /** After how many sectors what was copied is made lasting. */
  keepAfter: number;
  clock: Clock;
}

/**
 * Moves the root of a running system onto its disk, from whatever phase it is in, and resolves when it lies there alone. Each phase is written
 * down before the tables are changed: a cut at any moment leaves a system that begins where this one was. Errors: `live-changes-lost`; those of the machine,
 * after which the system runs on as it was, and the move can be begun again.
 */
export async function moveRoot(move: RootMove, task: Task): Promise<LiveRecord> {
  let { record } = move;
  if (record.phase === 'copying') await copyAll(move, task);
  for (let next = nextLivePhase(record.phase); next !== undefined; next = nextLivePhase(record.phase)) {
    task.signal.throwIfAborted();
    if (next === 'done') await merged(move, task);
    const before = record;
    record = { ...record, sequence: record.sequence + 1, phase: next };
    await move.machine.keepRecord(record);
    await change(move, before, record);
    if (next === 'copied') await move.machine.releaseSource();
  }
  return record;
}

async function copyAll({ machine, next, keepAfter }: RootMove, task: Task): Promise<void> {
  let since = 0;
  for (let run = next(); run !== undefined; run = next()) {
    task.signal.throwIfAborted();
    await requireChanges(machine);
    await machine.copy(run);
    task.advance(run.length * 512);
    since += run.length;
    if (since >= keepAfter) {
      await machine.keepCopied();
      since = 0;
    }
  }
  await machine.keepCopied();
}

/** Waits until nothing but the kernel's own lists is in the store of changes. */
async function merged({ machine, clock }: RootMove, task: Task): Promise<void> {
  for (;;) {
    const { used, lists } = await requireChanges(machine);
    if (used <= lists) return;
    await clock.sleep(pause, task.signal);
  }
}

/** A store that was full, or that the disk could not write or read, is what no copy can make good. */
async function requireChanges(machine: LiveMachine): Promise<SnapshotState> {
  const state = await machine.changes();
  if (state === undefined) throw new ImprintError('live-changes-lost', {});
  return state;
}

/** Loads the tables that differ; what only the phase before needed goes. */
async function change({ machine, places }: RootMove, before: LiveRecord, after: LiveRecord): Promise<void> {
  const all: LivePlaces = { ...places, copied: [{ start: 0, length: before.size }] };
  const old = new Map(liveTables(before, all).map(({ device, table }) => [device, table]));
  const tables = liveTables(after, all);
  for (const { device, table } of tables) {
    if (before.phase === 'copying' ? device === 'base' : old.get(device) !== table)
      await machine.replace(device, table);
  }
  const kept = new Set<LiveDevice>(tables.map(({ device }) => device));
  for (const device of [...old.keys()].reverse()) if (!kept.has(device)) await machine.remove(device);
}
