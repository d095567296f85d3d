import { describe, expect, it } from 'vitest';
import { Task } from '../../foundation/task.ts';
import type { SectorRun } from '../../machine/copied-map.ts';
import type { LiveRecord } from '../../machine/live-record.ts';
import { type LiveDevice, type LivePlaces, liveDevices } from '../../planning/live-tables.ts';
import type { SnapshotState } from '../../system/device-mapper.ts';
import { beginLive, type LiveMachine, moveRoot } from './move-root.ts';

class Cut extends Error {}

/** Blocks of 8 sectors, as snapshots have them. */
const [size, length, changesAt] = [16, 40, 24];
const first: LiveRecord = {
  ...{ sequence: 1, phase: 'copying', source: 'web', size: size * 8, start: 0, length: length * 8 },
  ...{ changesAt: changesAt * 8, changesLength: (length - changesAt) * 8 },
};

/** A disk, and a kernel that forgets everything when the power fails. Its device mapper knows what its tables say, and no more. */
class Simulation implements LiveMachine {
  readonly source = Array.from({ length: size }, (_, block) => `source ${block}`);
  /** Lasting. */
  disk = Array.from({ length }, () => 'old');
  exceptions = new Map([[5, 'of another system']]);
  record: LiveRecord | undefined;
  kept: SectorRun[] = [];
  /** Lost in a cut. */
  cached = new Map<number, string>();
  copied: SectorRun[] = [];
  tables = new Map<string, string>();
  released = false;
  /** Effects until the power fails. */
  left = Number.POSITIVE_INFINITY;
  /** Called before each effect: the user goes on working. */
  work: () => void = () => {};

  #effect(working = true): void {
    if (working) this.work();
    if (this.left <= 0) throw new Cut();
    this.left -= 1;
    // By itself, as soon as the table says so.
    if (working) this.#merge();
  }

  powerFails(): void {
    this.cached.clear();
    this.copied = [...this.kept];
    this.tables.clear();
    this.released = false;
  }

  async create(device: LiveDevice, table: string): Promise<void> {
    this.#effect();
    expect(this.tables.has(liveDevices[device]), `${device} is made once`).toBe(false);
    this.tables.set(liveDevices[device], table);
  }
  async replace(device: LiveDevice, table: string): Promise<void> {
    this.#effect();
    expect(this.tables.has(liveDevices[device])).toBe(true);
    this.tables.set(liveDevices[device], table);
  }
  async remove(device: LiveDevice): Promise<void> {
    this.#effect();
    const users = [...this.tables.values()].filter((table) => table.includes(`/dev/mapper/${liveDevices[device]} `));
    expect(users, `${device} is used`).toEqual([]);
    expect(this.tables.delete(liveDevices[device])).toBe(true);
  }
  async changes(): Promise<SnapshotState | undefined> {
    this.#effect();
    return { used: this.exceptions.size + 1, size: 100, lists: 1 };
  }
  /** A system that was not there before; its record is written when its init is about to begin. */
  async begin(places: LivePlaces): Promise<void> {
    this.#effect();
    this.exceptions.clear();
    await beginLive(this, first, places);
    await this.keepRecord(first);
  }
  async copy(run: SectorRun): Promise<void> {
    for (let block = run.start / 8; block < (run.start + run.length) / 8; block += 1) {
      this.#effect();
      this.cached.set(block, this.source[block] as string);
    }
    this.copied.push(run);
  }
  async keepCopied(): Promise<void> {
    this.#effect();
    this.#flush();
    this.#effect();
    this.kept = [...this.copied];
  }
  async keepRecord(record: LiveRecord): Promise<void> {
    this.#effect();
    this.record = record;
  }
  async releaseSource(): Promise<void> {
    this.#effect();
    this.released = true;
    expect([...this.tables.values()].join()).not.toContain('/dev/source');
  }

  #merge(): void {
    if (!this.tables.get(liveDevices.top)?.includes('snapshot-merge')) return;
    const [last] = [...this.exceptions].slice(-1);
    if (last === undefined) return;
    const [block, value] = last;
    this.#write(liveDevices.base, block, value);
    // The kernel has writes to what it merges wait until the exception is gone.
    this.#effect(false);
    this.exceptions.delete(block);
  }

  read(block: number): string {
    return this.#read(liveDevices.root, block);
  }

  write(block: number, value: string): void {
    this.#write(liveDevices.root, block, value);
  }

  #flush(): void {
    for (const [block, value] of this.cached) this.disk[block] = value;
    this.cached.clear();
  }

  /** The line of a table that has a block, and which block of what lies below that is. */
  #line(device: string, block: number): { type: string; on: string; at: number } {
    const table = this.tables.get(device);
    if (table === undefined) throw new Error(`there is no ${device}`);
    for (const line of table.split('\n')) {
      const [start = 0, count = 0, type = '', on = '', offset = ''] = line
        .split(' ')
        .map((word, index) => (index < 2 ? Number(word) / 8 : word)) as [number, number, string, string, string];
      if (block >= start && block < start + count)
        return { type, on, at: type === 'linear' ? Number(offset) / 8 + block - start : block - start };
    }
    throw new Error(`${device} has no block ${block}`);
  }

  #read(device: string, block: number): string {
    if (device === 'source') {
      if (this.released) throw new Error('the source was released');
      return this.source[block] as string;
    }
    if (device === 'disk') return this.cached.get(block) ?? (this.disk[block] as string);
    const { type, on, at } = this.#line(device, block);
    if (type === 'linear') return this.#read(on.replace(/^\/dev\/(mapper\/)?/, ''), at);
    return this.exceptions.get(block) ?? this.#read(liveDevices.base, block);
  }

  #write(device: string, block: number, value: string): void {
    if (device === 'source') throw new Error('the source was written');
    if (device === 'disk') {
      // Synced by who writes; what is only copied is not.
      this.disk[block] = value;
      this.cached.delete(block);
      return;
    }
    const { type, on, at } = this.#line(device, block);
    if (type === 'linear') this.#write(on.replace(/^\/dev\/(mapper\/)?/, ''), at, value);
    // What is merged already is written where it lies.
    else if (type === 'snapshot-merge' && !this.exceptions.has(block)) this.#write(liveDevices.base, block, value);
    else this.exceptions.set(block, value);
  }
}

const clock = { now: () => 0, sleep: async () => {} };

/** A start, and the move from there to its end, or to a cut. */
async function live(machine: Simulation): Promise<'done' | 'cut'> {
  const record = machine.record ?? first;
  const copied = merge(machine.kept);
  const places = { disk: '/dev/disk', ...(record.phase === 'copying' && { source: '/dev/source' }), copied };
  try {
    if (machine.record === undefined) await machine.begin(places);
    else await beginLive(machine, record, places);
    const order = [3, 0, 1, 2, 7, 6, 5, 4].map((run) => ({ start: run * 16, length: 16 }));
    const left = order.filter(({ start }) => !machine.kept.some((run) => run.start === start));
    await moveRoot({ machine, record, places, next: () => left.shift(), keepAfter: 40, clock }, Task.silent());
    return 'done';
  } catch (error) {
    if (error instanceof Cut) return 'cut';
    throw error;
  }
}

function merge(runs: readonly SectorRun[]): SectorRun[] {
  return runs.toSorted((left, right) => left.start - right.start);
}

/** Somebody who writes, remembers what was kept, and looks at everything now and then. */
function user(machine: Simulation, seed: number): () => void {
  const expected = new Map<number, string>();
  let number = seed;
  const random = (below: number) => {
    number = (number * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((number / 2 ** 31) * below);
  };
  return () => {
    if (!machine.tables.has(liveDevices.root)) return;
    // Compared by hand: a million expectations take a minute.
    for (let block = 0; block < changesAt; block += 1) {
      const wanted = expected.get(block) ?? machine.source[block];
      if (wanted !== undefined && machine.read(block) !== wanted)
        expect(`block ${block}: ${machine.read(block)}`).toBe(wanted);
    }
    const block = random(changesAt);
    const value = `written ${random(1_000_000)}`;
    machine.write(block, value);
    expected.set(block, value);
  };
}

describe('a root that moves while it is in use', () => {
  it('ends on the disk alone, which has everything, with the source let go of', async () => {
    const machine = new Simulation();
    machine.work = user(machine, 1);
    expect(await live(machine)).toBe('done');
    machine.work();
    expect([...machine.tables]).toEqual([[liveDevices.root, `0 ${length * 8} linear /dev/disk 0`]]);
    expect(machine).toMatchObject({ released: true, record: { phase: 'done' } });
  });

  it('loses nothing by a cut before any of its effects, and by a second one thereafter', async () => {
    const whole = new Simulation();
    whole.left = 10_000;
    expect(await live(whole)).toBe('done');
    const effects = 10_000 - whole.left;
    expect(effects).toBeGreaterThan(30);
    for (let cut = 0; cut < effects + 60; cut += 1) {
      for (const second of [0, 1, 5, 17, 1000]) {
        const machine = new Simulation();
        machine.work = user(machine, cut * 7 + second);
        machine.left = cut;
        let starts = 0;
        for (let ended: 'done' | 'cut' = 'cut'; ended === 'cut'; starts += 1) {
          ended = await live(machine);
          if (ended === 'done') break;
          machine.powerFails();
          // Before anything was written down, the machine begins as if nothing had been.
          if (machine.record === undefined) machine.work = user(machine, cut);
          machine.left = starts === 0 ? second : 10_000;
        }
        machine.work();
        expect(machine.record?.phase).toBe('done');
      }
    }
  });

  it('says that what was changed is lost, where it is', async () => {
    const machine = new Simulation();
    machine.changes = async () => undefined;
    await expect(live(machine)).rejects.toThrow('What was changed since the move onto the disk began is lost');
    expect(machine.released).toBe(false);
  });

  it('runs on as it was where it is told to stop, and goes on from there', async () => {
    const machine = new Simulation();
    machine.work = user(machine, 3);
    const places = { disk: '/dev/disk', source: '/dev/source' };
    await machine.begin(places);
    const order = Array.from({ length: 8 }, (_, run) => ({ start: run * 16, length: 16 }));
    const stop = new AbortController();
    const next = () => {
      if (order.length === 4) stop.abort();
      return order.shift();
    };
    const move = { machine, record: first, places, next, keepAfter: 16, clock };
    await expect(moveRoot(move, Task.silent(stop.signal))).rejects.toThrow();
    machine.work();
    await moveRoot({ ...move, next: () => order.shift() }, Task.silent());
    machine.work();
    expect(machine.record?.phase).toBe('done');
  });
});
