import { hash } from 'node:crypto';
import { type Digest, digestHex } from '../foundation/brand.ts';
import { FormatError } from '../image/format-error.ts';

/** Chunks of one pack: their number, and one bit for each. */
export interface PackUse {
  readonly chunks: number;
  readonly bits: Uint8Array;
}

/** Which chunks of which packs are needed: one bit for each chunk, so that a hundred versions fit in a few megabytes. */
export class ChunkUses {
  readonly packs = new Map<string, PackUse>();

  /** Adds one chunk of a pack that holds `chunks`. */
  note(pack: string, chunks: number, chunk: number): void {
    let use = this.packs.get(pack);
    if (use === undefined) {
      use = { chunks, bits: new Uint8Array((chunks + 7) >> 3) };
      this.packs.set(pack, use);
    }
    use.bits[chunk >> 3] = (use.bits[chunk >> 3] ?? 0) | (1 << (chunk & 7));
  }

  has(pack: string, chunk: number): boolean {
    return bitAt(this.packs.get(pack), chunk);
  }

  /** Adds all that another needs. */
  addAll(other: ChunkUses): void {
    for (const [pack, { chunks, bits }] of other.packs) {
      const own = this.packs.get(pack);
      if (own === undefined) this.packs.set(pack, { chunks, bits: bits.slice() });
      else for (let at = 0; at < own.bits.length; at += 1) own.bits[at] = (own.bits[at] ?? 0) | (bits[at] ?? 0);
    }
  }
}

export function bitAt(use: PackUse | undefined, chunk: number): boolean {
  return use !== undefined && ((use.bits[chunk >> 3] ?? 0) & (1 << (chunk & 7))) !== 0;
}

/** How many chunks of a pack are needed. */
export function countBits({ bits }: PackUse): number {
  let count = 0;
  for (let byte of bits) for (; byte !== 0; byte &= byte - 1) count += 1;
  return count;
}

const headLength = 32;
const rowHead = 36;

/**
 * A use file: SHA-256 of the version's digest (as 64 digits) and the rest; then for each pack, sorted, its name (32 bytes), the number of its chunks
 * (u32) and their bits, the first chunk in the lowest bit of the first byte.
 */
export function formatUses(digest: Digest, uses: ChunkUses): Buffer {
  const packs = [...uses.packs].toSorted(([left], [right]) => (left < right ? -1 : 1));
  const rows = packs.flatMap(([pack, { chunks, bits }]) => {
    const head = Buffer.alloc(rowHead);
    head.write(pack, 'hex');
    head.writeUInt32LE(chunks, 32);
    return [head, bits];
  });
  const body = Buffer.concat(rows);
  return Buffer.concat([sealOf(digest, body), body]);
}

/** What `formatUses` was given. Throws a `FormatError`. */
export function parseUses(digest: Digest, bytes: Buffer): ChunkUses {
  const body = bytes.subarray(headLength);
  if (bytes.length < headLength || !sealOf(digest, body).equals(bytes.subarray(0, headLength)))
    throw new FormatError('it does not match its checksum');
  const uses = new ChunkUses();
  for (let at = 0; at < body.length; ) {
    if (at + rowHead > body.length) throw new FormatError('it is cut short');
    const pack = body.toString('hex', at, at + 32);
    const chunks = body.readUInt32LE(at + 32);
    const end = at + rowHead + ((chunks + 7) >> 3);
    if (end > body.length || uses.packs.has(pack)) throw new FormatError('it is no list of uses');
    uses.packs.set(pack, { chunks, bits: new Uint8Array(body.subarray(at + rowHead, end)) });
    at = end;
  }
  return uses;
}

function sealOf(digest: Digest, body: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(digestHex(digest), 'latin1'), body]), 'buffer');
}
