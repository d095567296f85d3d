import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../src/foundation/clock.ts';
import { Task } from '../../../src/foundation/task.ts';
import { CopiedMap } from '../../../src/machine/copied-map.ts';
import {
  chooseLiveRecord,
  type LiveRecord,
  liveRecordSize,
  renderLiveRecord,
} from '../../../src/machine/live-record.ts';
import { beginLive, type LiveMachine, moveRoot } from '../../../src/operations/live/move-root.ts';
import { type LiveDevice, type LivePlaces, liveDevices } from '../../../src/planning/live-tables.ts';
import { createMapped, removeMapped, replaceTable, snapshotState } from '../../../src/system/device-mapper.ts';
import { systemProcesses } from '../../../src/system/run.ts';

const mebibyte = 2048;
/** Sectors of a disk: the records and the map, a MiB; a partition with 24 MiB of source, 22 more, and 17 for changes. */
export const firstRecord: LiveRecord = {
  ...{ sequence: 1, phase: 'copying', source: 'live-cuts', size: 24 * mebibyte },
  ...{ start: mebibyte, length: 63 * mebibyte, changesAt: 46 * mebibyte, changesLength: 17 * mebibyte },
};
export const diskSize = 64 * mebibyte * 512;
/** Bytes of the disk that the two records take; the map lies behind them. */
export const recordsLength = 2 * liveRecordSize;
/** Where the disk has room for what was acknowledged. */
export const acknowledgedAt = 512 * 1024;

/** Whether the map at the head of a disk says that all was copied. */
export function isWhole(head: Buffer): boolean {
  return new CopiedMap(firstRecord.size, 8, head.subarray(recordsLength, recordsLength + 4096)).next() === undefined;
}

/** What is watched of a move, and how fast it goes. */
export interface MoveCourse {
  /** Called when the source is not needed any more, and waited for. */
  readonly released?: () => Promise<void>;
  /** Milliseconds behind each piece that is copied. */
  readonly pause?: number;
  readonly tell?: (what: string) => void;
  readonly signal?: AbortSignal;
}

/** How a live system begins that was not there before; default: as for the cuts. */
export interface LiveBeginning {
  readonly first?: LiveRecord;
  /** Sectors that are copied at a time. */
  readonly piece?: number;
  /** `unflushed`: what was copied is written down before it lasts. */
  readonly sabotage?: string | undefined;
}

/** A disk with a live system at its start: the product's devices, and the least of what must be around them. */
export class LiveDisk implements AsyncDisposable {
  readonly record: LiveRecord;
  readonly map: CopiedMap;
  readonly fresh: boolean;
  readonly #places: LivePlaces;
  readonly #file: FileHandle;
  #next: 0 | 1;
  readonly #sabotage: string | undefined;

  private constructor(file: FileHandle, head: Buffer, disk: string, source: string, beginning: LiveBeginning) {
    const { first = firstRecord, piece = mebibyte / 4, sabotage } = beginning;
    const blocks = [head.subarray(0, liveRecordSize), head.subarray(liveRecordSize, recordsLength)] as const;
    const { record, next } = chooseLiveRecord(blocks);
    this.#file = file;
    this.#sabotage = sabotage;
    this.#next = next;
    this.fresh = record === undefined;
    this.record = record ?? first;
    this.map = new CopiedMap(this.record.size, piece, this.fresh ? undefined : head.subarray(recordsLength));
    // In no order, as it is where what is needed comes first.
    const pieces = Array.from({ length: this.record.size / piece }, (_, index) => index);
    this.map.want(pieces.map((index) => ({ start: ((index * 37) % pieces.length) * piece, length: piece })));
    // The source is not even named where it must not be needed any more.
    const named = this.record.phase === 'copying' && { source };
    this.#places = { disk, ...named, copied: this.map.runs() };
  }

  /** Reads how far a disk has come, and makes the devices. */
  static async begin(disk: string, source: string, beginning: LiveBeginning = {}): Promise<LiveDisk> {
    const file = await open(disk, 'r+');
    const head = Buffer.alloc(64 * 1024);
    await file.read(head, 0, head.length, 0);
    const live = new LiveDisk(file, head, disk, source, beginning);
    if (live.fresh) await live.#clear();
    await beginLive(live.machine(), live.record, live.#places);
    return live;
  }

  /** Old exceptions in the store would be taken for this system's. */
  async #clear(): Promise<void> {
    const { start, changesAt } = this.record;
    await this.#file.write(Buffer.alloc(64 * 1024), 0, 64 * 1024, (start + changesAt) * 512);
    await this.#file.write(Buffer.alloc(64 * 1024 - recordsLength), 0, undefined, recordsLength);
    await this.#file.sync();
    await this.machine().keepRecord(this.record);
  }

  /** Moves the root to the end. */
  async move(course: MoveCourse = {}): Promise<LiveRecord> {
    const machine = this.machine(course);
    const move = { machine, record: this.record, places: this.#places, keepAfter: 3 * mebibyte, clock: systemClock };
    return moveRoot({ ...move, next: () => this.map.next() }, Task.silent(course.signal));
  }

  machine({ released = async () => {}, pause = 0, tell = () => {} }: MoveCourse = {}): LiveMachine {
    const file = this.#file;
    const device = (name: LiveDevice) => liveDevices[name];
    return {
      create: (name, table) => createMapped(systemProcesses, device(name), table),
      replace: (name, table) => replaceTable(systemProcesses, device(name), table),
      remove: (name) => removeMapped(systemProcesses, device(name)),
      changes: () => snapshotState(systemProcesses, device('top')),
      copy: async (run) => {
        await using base = await open(`/dev/mapper/${liveDevices.base}`, 'r');
        const bytes = Buffer.alloc(run.length * 512);
        await base.read(bytes, 0, bytes.length, run.start * 512);
        await file.write(bytes, 0, bytes.length, (this.record.start + run.start) * 512);
        this.map.mark(run);
        tell(`copied ${this.map.copied} of ${this.record.size}`);
        if (pause > 0) await sleep(pause);
      },
      keepCopied: async () => {
        const { bytes } = this.map;
        if (this.#sabotage !== 'unflushed') await file.sync();
        await file.write(bytes, 0, bytes.length, recordsLength);
        await file.sync();
      },
      keepRecord: async (record) => {
        tell(`phase ${record.phase}`);
        await file.write(renderLiveRecord(record), 0, liveRecordSize, this.#next * liveRecordSize);
        await file.sync();
        this.#next = this.#next === 0 ? 1 : 0;
      },
      releaseSource: released,
    };
  }

  /** Takes the devices down again; nothing may be mounted. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    // All in one go: it is done hundreds of times. What is not there is said, and the rest removed.
    const names = (['root', 'top', 'changes', 'base'] as const).map((name) => liveDevices[name]);
    await systemProcesses.run('dmsetup', ['remove', ...names], {
      ...{ timeout: 60_000, accept: [0, 1] },
      env: { DM_DISABLE_UDEV: '1' },
    });
  }
}
