/**
 * Which chunks are stored already or are being stored, known to all threads at once: a hash table in shared memory, open
 * addressing, full SHA-256 hashes. Whoever claims a hash first stores the chunk; all others refer to it.
 *
 * It grows by generations: a fuller table is left as it is and a larger one set beside it, which every thread learns of when
 * it next looks at its messages. Two threads may then claim one hash in two generations: the chunk is stored twice, which
 * wastes a little and harms nothing.
 */
export class ClaimTable {
  readonly #generations: Generation[] = [];

  constructor(memories: readonly SharedArrayBuffer[]) {
    for (const memory of memories) this.add(memory);
  }

  /** A first table with room for `expected` hashes. */
  static create(expected: number): ClaimTable {
    return new ClaimTable([allocateGeneration(expected)]);
  }

  /** What to give another thread, for its own `ClaimTable`. */
  get memories(): SharedArrayBuffer[] {
    return this.#generations.map((generation) => generation.memory);
  }

  /** Whether it is time for another generation. */
  get crowded(): boolean {
    const last = this.#generations.at(-1);
    return last === undefined || Atomics.load(last.count, 0) * 4 > last.slots * 3;
  }

  /** Makes a generation twice as large as the last; give its memory to the other threads. */
  grow(): SharedArrayBuffer {
    const memory = allocateGeneration((this.#generations.at(-1)?.slots ?? 0) * 1.5);
    this.add(memory);
    return memory;
  }

  /** Takes in a generation that another thread made. */
  add(memory: SharedArrayBuffer): void {
    const slots = (memory.byteLength - headerBytes) / slotBytes;
    this.#generations.push({
      memory,
      slots,
      count: new Int32Array(memory, 0, 1),
      states: new Int32Array(memory, headerBytes, slots),
      hashes: new Int32Array(memory, headerBytes + slots * 4, slots * hashWords),
    });
  }

  /** True for the first who claims this hash (eight words): the chunk is theirs to store. */
  claim(hash: Int32Array): boolean {
    const last = this.#generations.length - 1;
    for (let index = 0; index < last; index += 1) {
      if (find(this.#generations[index] as Generation, hash, false) === 'found') return false;
    }
    return find(this.#generations[last] as Generation, hash, true) !== 'found';
  }

  /** Whether the hash was claimed. */
  has(hash: Int32Array): boolean {
    return this.#generations.some((generation) => find(generation, hash, false) === 'found');
  }
}

interface Generation {
  memory: SharedArrayBuffer;
  slots: number;
  count: Int32Array;
  states: Int32Array;
  hashes: Int32Array;
}

const hashWords = 8;
const headerBytes = 64;
const slotBytes = 4 + hashWords * 4;
const smallest = 1 << 16;
/** Room beside what is expected, before another generation is needed. */
const spare = 1 << 15;

const empty = 0;
const beingWritten = 1;
const taken = 2;

function allocateGeneration(expected: number): SharedArrayBuffer {
  const slots = Math.max(smallest, Math.ceil(((expected + spare) * 4) / 3));
  return new SharedArrayBuffer(headerBytes + slots * slotBytes);
}

/** Looks for a hash, and with `insert` takes a slot for it where it is not there. A table that is full takes no more. */
function find(table: Generation, hash: Int32Array, insert: boolean): 'found' | 'inserted' | 'absent' {
  const { states, slots, hashes } = table;
  let slot = ((hash[0] as number) >>> 0) % slots;
  for (;;) {
    let state = Atomics.load(states, slot);
    if (state === empty) {
      if (!insert || Atomics.load(table.count, 0) > slots * 0.9) return 'absent';
      state = Atomics.compareExchange(states, slot, empty, beingWritten);
      if (state === empty) {
        hashes.set(hash, slot * hashWords);
        Atomics.store(states, slot, taken);
        Atomics.notify(states, slot);
        Atomics.add(table.count, 0, 1);
        return 'inserted';
      }
    }
    while (state === beingWritten) {
      Atomics.wait(states, slot, beingWritten, 1);
      state = Atomics.load(states, slot);
    }
    if (sameHash(hashes, slot * hashWords, hash)) return 'found';
    slot = slot + 1 === slots ? 0 : slot + 1;
  }
}

function sameHash(hashes: Int32Array, at: number, hash: Int32Array): boolean {
  for (let word = 0; word < hashWords; word += 1) if (hashes[at + word] !== hash[word]) return false;
  return true;
}
