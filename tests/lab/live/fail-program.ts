import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../../src/foundation/clock.ts';
import { toImprintError } from '../../../src/foundation/errors.ts';
import { Task } from '../../../src/foundation/task.ts';
import { CopiedMap, type SectorRun } from '../../../src/machine/copied-map.ts';
import { liveArea } from '../../../src/machine/live-area.ts';
import { type LiveRecord, livePhases } from '../../../src/machine/live-record.ts';
import { joined, readSnapshotStore } from '../../../src/machine/snapshot-store.ts';
import { diskMachine, setTables } from '../../../src/operations/live/disk-machine.ts';
import { keepMoving } from '../../../src/operations/live/keep-moving.ts';
import { LiveDisk } from '../../../src/operations/live/live-disk.ts';
import type { RunningRoot } from '../../../src/operations/live/live-origin.ts';
import { beginLive, type LiveMachine, moveRoot } from '../../../src/operations/live/move-root.ts';
import { keepRunning, takeOver } from '../../../src/operations/live/take-over.ts';
import { liveDevices } from '../../../src/planning/live-tables.ts';
import { createMapped, removeMapped, replaceTable, snapshotState } from '../../../src/system/device-mapper.ts';
import { MemoryStore } from '../../../src/system/memory-store.ts';
import { deviceSize } from '../../../src/system/partition.ts';
import { systemProcesses } from '../../../src/system/run.ts';
import { findDamage, mounted, readSource, root, say, source, words } from './live-machine.ts';
import { type Acknowledged, findLosses, Work } from './work.ts';

/**
 * Systems that move from memory onto a partition which fails in the middle: the product's own parts, on the kernel's device mapper, with somebody who writes and syncs. Below the
 * partition lies a table of this program, in which a run of sectors is an error as long as it wants.
 */
const partition = '/dev/mapper/partition';
const liveSnapshot = 'imprint-live';
const piece = 1024;
const files = await readSource();
const length = (await deviceSize('/dev/vdb')) / 512;
const size = (await deviceSize(source)) / 512;
const area = liveArea(length, size);
if (area === undefined) throw new Error('the disk is too small');
const { changesAt, changesLength } = area;
const first: LiveRecord = {
  ...{ sequence: 1, phase: 'copying', source: 'live-failures', size, start: 0, length },
  ...{ changesAt, changesLength },
};
/** The bytes of the source, on the partition. */
const copied: SectorRun = { start: 0, length: size };

function partitionTable(bad?: SectorRun): string {
  if (bad === undefined) return `0 ${length} linear /dev/vdb 0`;
  const behind = bad.start + bad.length;
  const rows = [
    bad.start > 0 ? `0 ${bad.start} linear /dev/vdb 0` : '',
    `${bad.start} ${bad.length} error`,
    behind < length ? `${behind} ${length - behind} linear /dev/vdb ${behind}` : '',
  ];
  return rows.filter(Boolean).join('\n');
}
const fails = (bad: SectorRun) => replaceTable(systemProcesses, 'partition', partitionTable(bad));
const heals = () => replaceTable(systemProcesses, 'partition', partitionTable());
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'fulfilled',
    (error) => toImprintError(error).code,
  );

/** What a live system wrote into memory, above a source that is only read. */
class Memory implements Pick<RunningRoot, 'origin' | 'kept' | 'changesMoved'> {
  readonly #store: MemoryStore;
  #file: FileHandle | undefined;

  private constructor(store: MemoryStore) {
    this.#store = store;
  }

  static async make(): Promise<Memory> {
    const store = await MemoryStore.make(systemProcesses, '/run/memory', 48 << 20, systemClock);
    await createMapped(systemProcesses, liveSnapshot, `0 ${size} snapshot ${source} ${store.device} P 8`);
    await createMapped(systemProcesses, liveDevices.root, `0 ${size} linear /dev/mapper/${liveSnapshot} 0`);
    return new Memory(store);
  }

  async kept(): Promise<SectorRun[]> {
    const lists = await readSnapshotStore((position, bytes) => this.#store.read(position, bytes));
    return joined(lists?.runs ?? []);
  }

  async changesMoved(): Promise<void> {}

  get origin(): RunningRoot['origin'] {
    const path = `/dev/mapper/${liveSnapshot}`;
    return {
      ...{ device: path, zeros: [], isWanted: async () => false },
      read: async (position, bytes) => {
        this.#file ??= await open(path, 'r');
        const read = await this.#file.read(Buffer.alloc(bytes), 0, bytes, position);
        return read.buffer;
      },
      [Symbol.asyncDispose]: () => this.drop(),
    };
  }

  async drop(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    await removeMapped(systemProcesses, liveSnapshot);
    await this.#store[Symbol.asyncDispose]();
  }
}

/** The image alone, as a start that goes on with a move has it. */
async function imageAlone(): Promise<RunningRoot['origin']> {
  const file = await open(source, 'r');
  return {
    ...{ device: source, zeros: [], isWanted: async () => false },
    read: async (position, bytes) => (await file.read(Buffer.alloc(bytes), 0, bytes, position)).buffer,
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** All of a scene: what nobody closes, Node takes for a fault. */
const disks: LiveDisk[] = [];

/** A move onto the partition, as a live install does it. */
class Move {
  readonly disk: LiveDisk;
  readonly map: CopiedMap;
  readonly machine: LiveMachine;
  record: LiveRecord;
  /** What it waited for, in words. */
  readonly warnings: string[] = [];
  readonly #source: RunningRoot['origin'] | undefined;

  constructor(disk: LiveDisk, record: LiveRecord, origin: RunningRoot['origin'] | undefined, bits?: Uint8Array) {
    this.disk = disk;
    disks.push(disk);
    this.record = record;
    this.map = new CopiedMap(size, piece, bits);
    this.#source = origin;
    const parts = {
      ...{ processes: systemProcesses, clock: systemClock, disk, record, map: this.map },
      ...{ pacer: { pass: async () => {} }, source: () => origin, phase: () => this.record.phase },
      kept: (next: LiveRecord) => {
        this.record = next;
      },
      release: async () => {
        await origin?.[Symbol.asyncDispose]();
      },
    };
    this.machine = diskMachine(parts, Task.silent());
  }

  get places() {
    return { disk: partition, copied: this.map.runs(), ...(this.#source && { source: this.#source.device }) };
  }

  /** To the end; `again` is called before each further try. */
  async go(again: (tries: number) => Promise<void> = async () => {}): Promise<void> {
    let tries = 0;
    const { machine, map, places } = this;
    const clock = { now: Date.now, sleep: async (pause: number) => void (await sleep(Math.min(pause, 250))) };
    const attempt = async () => {
      await moveRoot(
        { machine, record: this.record, places, next: () => map.next(), keepAfter: 4096, clock },
        this.#task,
      );
    };
    await keepMoving(
      {
        ...{ attempt, clock },
        progress: () => livePhases.indexOf(this.record.phase) * 2 ** 40 + map.copied,
        failed: () => {
          if (words.get('live.sabotage') !== 'believed') map.forget();
        },
        mend: async () => {
          tries += 1;
          await again(tries);
          await setTables(systemProcesses, this.record, partition);
        },
      },
      this.#task,
    );
  }

  get #task(): Task {
    const task = Task.silent();
    task.warn = (message: string) => void this.warnings.push(message);
    return task;
  }
}

/** Takes everything down, as a restart of the machine does. */
async function powerOff(memory: Memory): Promise<void> {
  for (const disk of disks.splice(0)) await disk[Symbol.asyncDispose]();
  for (const device of ['root', 'top', 'changes', 'base'] as const)
    await removeMapped(systemProcesses, liveDevices[device]);
  await memory.drop().catch(() => {});
}

interface Scene {
  memory: Memory;
  work: Work;
  /** Has the system's changes go to the partition, and what lay in memory, too. */
  moved(): Promise<Move>;
  /** `between`: called when the partition is prepared, before the tables are changed. */
  over(between?: () => Promise<void>): Promise<Move>;
  /** That the work goes on, and nothing is lost while it does. */
  alive(): Promise<void>;
}

const results: Record<string, unknown> = {};

/** What an earlier scene left there would be right by chance. */
async function spoilDisk(): Promise<void> {
  await using file = await open('/dev/vdb', 'r+');
  for (let at = 0; at < size * 512; at += 1 << 20) await file.write(Buffer.alloc(1 << 20, 0xa5), 0, 1 << 20, at);
  await file.sync();
}

/** A system in memory in which somebody works; `play` has its disk fail, and leaves it on that disk alone. */
async function scene(name: string, play: (scene: Scene) => Promise<Record<string, unknown>>): Promise<void> {
  const wanted = words.get('live.scene')?.replaceAll('_', ' ');
  if (wanted !== undefined && wanted !== name) return;
  await spoilDisk();
  await createMapped(systemProcesses, 'partition', partitionTable());
  const memory = await Memory.make();
  let result: Record<string, unknown> = {};
  let end: Acknowledged = { files: 0, churn: 0 };
  try {
    await mounted(async () => {
      const work = new Work(root, end, async () => {}, 20);
      await sleep(1000);
      const alive = async () => {
        const before = work.acknowledged;
        await sleep(1500);
        const { files, churn } = work.acknowledged;
        if (files <= before.files || churn <= before.churn) throw new Error(`the work stands still at ${files}`);
      };
      const over = async (between: () => Promise<void> = async () => {}) => {
        const disk = await LiveDisk.fresh(partition, first);
        await between();
        const move = new Move(disk, first, memory.origin);
        await takeOver(
          move.machine,
          { disk, record: first, running: memory, processes: systemProcesses },
          Task.silent(),
        );
        return move;
      };
      const moved = async () => {
        const move = await over();
        await keepRunning(move.machine, { running: memory, atOnce: piece }, Task.silent());
        await move.disk.keepRecord(first);
        return move;
      };
      try {
        result = await play({ memory, work, over, moved, alive });
      } finally {
        end = await work.stop();
      }
    });
    const losses = await mounted(() => findLosses(root, end, files));
    losses.push(...(await findDamage()));
    results[name] = { ...result, losses };
  } catch (error) {
    results[name] = { ...result, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  say(`SCENE ${name} ${JSON.stringify(results[name])}`);
  await powerOff(memory);
  await removeMapped(systemProcesses, 'partition');
}

await scene('before', async ({ over, moved, alive }) => {
  // What is written down cannot be.
  await fails({ start: changesAt, length: 64 });
  const prepared = await codeOf(over());
  await alive();
  await heals();
  // The disk fails between that and the tables.
  const table = await codeOf(over(() => fails({ start: changesAt, length: changesLength })));
  await alive();
  await heals();
  const move = await moved();
  await move.go();
  return { prepared, table, phase: move.record.phase };
});

await scene('memory', async ({ over, memory, alive }) => {
  const move = await over();
  await fails(copied);
  const keeping = await codeOf(keepRunning(move.machine, { running: memory, atOnce: piece }, Task.silent()));
  await alive();
  await heals();
  move.map.forget();
  await keepRunning(move.machine, { running: memory, atOnce: piece }, Task.silent());
  await move.disk.keepRecord(first);
  await move.go();
  return { keeping, phase: move.record.phase };
});

const middle: SectorRun = { start: 8 * 2048, length: 12 * 2048 };

await scene('copy, for a moment', async ({ moved, alive }) => {
  const move = await moved();
  await fails(middle);
  await move.go(async (tries) => {
    if (tries !== 2) return;
    await alive();
    await heals();
  });
  return { tries: move.warnings.length, words: move.warnings[0], phase: move.record.phase };
});

await scene('copy', async ({ moved, alive }) => {
  const move = await moved();
  await fails(middle);
  const code = await codeOf(move.go());
  await alive();
  const { phase } = move.record;
  const tries = move.warnings.length;
  await heals();
  await move.go();
  return { code, tries, phase, end: move.record.phase };
});

await scene('merge', async ({ moved, work }) => {
  const move = await moved();
  const { keepRecord } = move.machine;
  let tries = 0;
  move.machine.keepRecord = async (record) => {
    await keepRecord(record);
    if (record.phase !== 'merging') return;
    // Nobody writes past the changes while the disk cannot.
    await work.stop();
    await systemProcesses.run('sync', [], { timeout: 60_000 });
    await fails(copied);
  };
  await move.go(async (count) => {
    tries = count;
    if (count === 2) await heals();
  });
  return { tries, words: move.warnings[0], phase: move.record.phase };
});

await changesFail();

/** The store of changes fails: the root is gone until the next start, which takes it up where it was. */
async function changesFail(): Promise<void> {
  const name = 'changes';
  const wanted = words.get('live.scene')?.replaceAll('_', ' ');
  if (wanted !== undefined && wanted !== name) return;
  await spoilDisk();
  await createMapped(systemProcesses, 'partition', partitionTable());
  const memory = await Memory.make();
  let end: Acknowledged = { files: 0, churn: 0 };
  let code = '';
  await mounted(async () => {
    const work = new Work(root, end, async () => {}, 20);
    await sleep(1000);
    const disk = await LiveDisk.fresh(partition, first);
    const move = new Move(disk, first, memory.origin);
    await takeOver(move.machine, { disk, record: first, running: memory, processes: systemProcesses }, Task.silent());
    await keepRunning(move.machine, { running: memory, atOnce: piece }, Task.silent());
    await disk.keepRecord(first);
    await sleep(1000);
    const used = (await snapshotState(systemProcesses, liveDevices.top))?.used ?? 0;
    const start = changesAt + Math.ceil(used / 8) * 8 + 256;
    await fails({ start, length: changesAt + changesLength - start });
    for (let waited = 0; waited < 30_000; waited += 200) {
      if ((await snapshotState(systemProcesses, liveDevices.top)) === undefined) break;
      await sleep(200);
    }
    code = await codeOf(move.go());
    end = work.acknowledged;
    await work.stop().catch(() => {});
    await disk[Symbol.asyncDispose]();
  }).catch((error) => say(`the root went: ${String(error)}`));
  await systemProcesses.run('umount', ['-l', root], { timeout: 60_000, accept: [0, 1, 32] });
  await powerOff(memory);
  await heals();
  try {
    const disk = await LiveDisk.open(partition);
    const record = await disk.record(length);
    if (record === undefined) throw new Error('there is no record');
    const revived = await disk.reviveChanges(record);
    const origin = await imageAlone();
    const move = new Move(disk, record, origin, await disk.copied(record));
    await beginLive(move.machine, record, move.places);
    const look = async () => {
      const losses = await mounted(() => findLosses(root, end, files));
      return [...losses, ...(await findDamage())];
    };
    const losses = await look();
    await move.go();
    losses.push(...(await look()));
    await disk[Symbol.asyncDispose]();
    results[name] = { code, acknowledged: end, revived, losses, phase: move.record.phase };
  } catch (error) {
    results[name] = { code, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  say(`SCENE ${name} ${JSON.stringify(results[name])}`);
}
say(`SCENES ${JSON.stringify(results)}`);
