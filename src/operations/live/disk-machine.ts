import type { Clock } from '../../foundation/clock.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { CopiedMap } from '../../machine/copied-map.ts';
import type { LivePhase, LiveRecord } from '../../machine/live-record.ts';
import { liveDevices, liveTables } from '../../planning/live-tables.ts';
import {
  createMapped,
  removeMapped,
  replaceTable,
  type SnapshotState,
  snapshotState,
} from '../../system/device-mapper.ts';
import type { Processes } from '../../system/run.ts';
import type { Pacer } from '../update/pacer.ts';
import type { LiveDisk } from './live-disk.ts';
import type { LiveOrigin } from './live-origin.ts';
import { phaseWords } from './live-words.ts';
import type { LiveMachine } from './move-root.ts';

/** Milliseconds: how long what the system reads keeps the copy waiting, at most; and for how long the state of the store is believed. */
const [longestYield, believed] = [2000, 2000];

export interface DiskMachine {
  processes: Processes;
  clock: Clock;
  disk: LiveDisk;
  /** Any of this move: where things are is the same in all. */
  record: LiveRecord;
  map: CopiedMap;
  pacer: Pick<Pacer, 'pass'>;
  source(): Pick<LiveOrigin, 'read' | 'isWanted'> | undefined;
  phase(): LivePhase | undefined;
  /** Told of each record that lasts. */
  kept(record: LiveRecord): void;
  release(): Promise<void>;
}

/** Brings what broke off in the middle of a change of tables to what was written down. Nothing is changed while it is copied. */
export async function setTables(processes: Processes, record: LiveRecord, disk: string): Promise<void> {
  if (record.phase === 'copying') return;
  for (const { device, table } of liveTables(record, { disk }))
    await replaceTable(processes, liveDevices[device], table);
}

/** What a move does to this machine's kernel, and to the partition that it goes onto. */
export function diskMachine(parts: DiskMachine, task: Task): LiveMachine {
  const { processes, clock, disk, record, map, pacer } = parts;
  let state: { known: SnapshotState | undefined; at: number } | undefined;
  return {
    create: (device, table) => createMapped(processes, liveDevices[device], table),
    replace: (device, table) => replaceTable(processes, liveDevices[device], table),
    remove: (device) => removeMapped(processes, liveDevices[device]),
    changes: async () => {
      // A program is started for each question, which costs more than the copy of a run.
      if (state === undefined || performance.now() - state.at > believed || parts.phase() !== 'copying')
        state = { known: await snapshotState(processes, liveDevices.top), at: performance.now() };
      return state.known;
    },
    copy: async (run) => {
      const source = parts.source();
      if (source === undefined) throw new ImprintError('internal', { problem: 'there is no source to copy' });
      await disk.copy(
        run,
        (position, length) => source.read(position, length),
        async (bytes) => {
          await pacer.pass(bytes);
          const until = performance.now() + longestYield;
          while ((await source.isWanted()) && performance.now() < until) await clock.sleep(20, task.signal);
        },
      );
      map.mark(run);
    },
    keepCopied: async () => {
      await disk.keepCopied(record, map);
      map.keep();
    },
    keepRecord: async (next) => {
      await disk.keepRecord(next);
      parts.kept(next);
      task.log(phaseWords[next.phase]);
    },
    releaseSource: () => parts.release(),
  };
}
