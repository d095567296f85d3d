/**
 * The tables of a qcow2 image (QEMU's `docs/interop/qcow2.txt`, version 3), filled cluster by cluster in rising order. What goes where depends
 * on the content alone.
 */

export const clusterSize = 65_536;
const clusterBits = 16;
const entriesPerTable = clusterSize / 8;
const sectorSize = 512;
/** In an entry of a table: this cluster is referred to once, so that it may be written in place. */
const copied = 1n << 63n;
const compressedFlag = 1n << 62n;
/** Bits of a compressed entry that are its place: 62 − (cluster bits − 8). */
const placeBits = BigInt(62 - (clusterBits - 8));
const refcountsPerCluster = clusterSize / 2;

/** What compressed clusters are compressed with: raw deflate with a window of 4 KiB, or zstd (QEMU 5.1 and later). */
export type Qcow2Compression = 'deflate' | 'zstd';

/** Piece of the image to be written at `offset`. */
export interface Qcow2Piece {
  offset: number;
  bytes: Uint8Array;
}

export class Qcow2Tables {
  readonly #size: number;
  readonly #compression: Qcow2Compression | undefined;
  readonly #l1: BigUint64Array;
  readonly #l2 = new Map<number, BigUint64Array>();
  readonly #refcounts: number[] = [];
  /** The next free byte of the image. */
  #end: number;

  /** @param size bytes of the disk */
  constructor(size: number, compression?: Qcow2Compression) {
    this.#size = size;
    this.#compression = compression;
    this.#l1 = new BigUint64Array(Math.max(1, Math.ceil(size / (clusterSize * entriesPerTable))));
    this.#end = clusterSize + wholeClusters(this.#l1.length * 8);
    this.#count(0, this.#end);
  }

  /** A place for a cluster as it is. Returns the byte of the image where it goes. */
  put(cluster: number): number {
    this.#end = wholeClusters(this.#end);
    const place = this.#end;
    this.#end += clusterSize;
    this.#count(place, clusterSize);
    this.#enter(cluster, BigInt(place) | copied);
    return place;
  }

  /** A place for a compressed cluster of so many bytes; several share a cluster of the image. */
  putCompressed(cluster: number, length: number): number {
    const place = this.#end;
    this.#end += length;
    const sectors = Math.floor((place + length - 1) / sectorSize) - Math.floor(place / sectorSize);
    this.#count(place, length);
    this.#enter(cluster, compressedFlag | (BigInt(sectors) << placeBits) | BigInt(place));
    return place;
  }

  /** All tables and the header; to be called once, at the end. `size` is that of the whole image. */
  finish(): { pieces: Qcow2Piece[]; size: number } {
    const pieces: Qcow2Piece[] = [];
    this.#end = wholeClusters(this.#end);
    for (const [index, table] of [...this.#l2].sort(([left], [right]) => left - right)) {
      this.#l1[index] = BigInt(this.#end) | copied;
      pieces.push({ offset: this.#end, bytes: bigEndian(table) });
      this.#count(this.#end, clusterSize);
      this.#end += clusterSize;
    }
    pieces.push({ offset: clusterSize, bytes: bigEndian(this.#l1) });
    const refcounts = this.#placeRefcounts();
    pieces.push(...refcounts.pieces, { offset: 0, bytes: this.#header(refcounts.offset, refcounts.clusters) });
    return { pieces, size: this.#end };
  }

  #enter(cluster: number, entry: bigint): void {
    const index = Math.floor(cluster / entriesPerTable);
    let table = this.#l2.get(index);
    if (table === undefined) {
      table = new BigUint64Array(entriesPerTable);
      this.#l2.set(index, table);
    }
    table[cluster % entriesPerTable] = entry;
  }

  #count(offset: number, length: number): void {
    for (let cluster = Math.floor(offset / clusterSize); cluster * clusterSize < offset + length; cluster += 1) {
      this.#refcounts[cluster] = (this.#refcounts[cluster] ?? 0) + 1;
    }
  }

  /** The table of reference counts counts its own clusters, too. */
  #placeRefcounts(): { pieces: Qcow2Piece[]; offset: number; clusters: number } {
    let blocks = 0;
    let tables = 0;
    for (;;) {
      const total = this.#end / clusterSize + blocks + tables;
      const wanted = Math.ceil(total / refcountsPerCluster);
      const wantedTables = Math.ceil(wanted / entriesPerTable);
      if (wanted === blocks && wantedTables === tables) break;
      blocks = wanted;
      tables = wantedTables;
    }
    const offset = this.#end;
    this.#count(offset, (blocks + tables) * clusterSize);
    const table = new BigUint64Array(tables * entriesPerTable);
    const pieces: Qcow2Piece[] = [];
    for (let block = 0; block < blocks; block += 1) {
      const at = offset + (tables + block) * clusterSize;
      table[block] = BigInt(at);
      const bytes = Buffer.alloc(clusterSize);
      for (let index = 0; index < refcountsPerCluster; index += 1) {
        bytes.writeUInt16BE(this.#refcounts[block * refcountsPerCluster + index] ?? 0, index * 2);
      }
      pieces.push({ offset: at, bytes });
    }
    pieces.push({ offset, bytes: bigEndian(table) });
    this.#end += (blocks + tables) * clusterSize;
    return { pieces, offset, clusters: tables };
  }

  #header(refcountTable: number, refcountClusters: number): Buffer {
    const zstd = this.#compression === 'zstd';
    const header = Buffer.alloc(clusterSize);
    header.write('QFI\xfb', 0, 'latin1');
    header.writeUInt32BE(3, 4);
    header.writeUInt32BE(clusterBits, 20);
    header.writeBigUInt64BE(BigInt(this.#size), 24);
    header.writeUInt32BE(this.#l1.length, 36);
    header.writeBigUInt64BE(BigInt(clusterSize), 40);
    header.writeBigUInt64BE(BigInt(refcountTable), 48);
    header.writeUInt32BE(refcountClusters, 56);
    // Bit 3: another compression than deflate.
    header.writeBigUInt64BE(zstd ? 8n : 0n, 72);
    header.writeUInt32BE(4, 96);
    header.writeUInt32BE(112, 100);
    header[104] = zstd ? 1 : 0;
    return header;
  }
}

function wholeClusters(bytes: number): number {
  return Math.ceil(bytes / clusterSize) * clusterSize;
}

function bigEndian(values: BigUint64Array): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, index) => {
    bytes.writeBigUInt64BE(value, index * 8);
  });
  return bytes;
}
