import type { RawPath } from '../foundation/brand.ts';

/** A column of numbers that grows. For what there are millions of: objects would take ten times the memory. */
export class Column<Numbers extends Uint32Array | Float64Array> {
  #values: Numbers;
  #length = 0;

  constructor(empty: Numbers) {
    this.#values = empty;
  }

  static u32(): Column<Uint32Array> {
    return new Column(new Uint32Array(1024));
  }

  static f64(): Column<Float64Array> {
    return new Column(new Float64Array(1024));
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new (this.#values.constructor as new (length: number) => Numbers)(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length] = value;
    this.#length += 1;
  }

  /** The value of a row that was pushed. */
  at(row: number): number {
    return this.#values[row] as number;
  }

  set(row: number, value: number): void {
    this.#values[row] = value;
  }

  /** A copy of what was pushed that threads can share. */
  shared(): Numbers {
    const make = this.#values.constructor as new (memory: SharedArrayBuffer) => Numbers;
    const copy = new make(new SharedArrayBuffer(this.#length * this.#values.BYTES_PER_ELEMENT));
    copy.set(this.#values.subarray(0, this.#length));
    return copy;
  }
}

/** Byte strings of one length, one after another, growing. */
export class ByteRows {
  readonly width: number;
  #bytes: Buffer;
  #used = 0;

  constructor(width: number) {
    this.width = width;
    this.#bytes = Buffer.alloc(1024 * width);
  }

  push(row: Uint8Array): void {
    if (this.#used === this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], this.#bytes.length * 2);
    this.#bytes.set(row, this.#used);
    this.#used += this.width;
  }

  get length(): number {
    return this.#used / this.width;
  }

  /** A copy of all rows that threads can share. */
  shared(): Uint8Array {
    const copy = new Uint8Array(new SharedArrayBuffer(this.#used));
    copy.set(this.#bytes.subarray(0, this.#used));
    return copy;
  }

  /** Whether a row is these bytes. */
  is(row: number, bytes: Uint8Array): boolean {
    const rows = this.#bytes;
    for (let index = 0, at = row * this.width; index < this.width; index += 1, at += 1)
      if (rows[at] !== bytes[index]) return false;
    return true;
  }

  /** The bytes of a row; not a copy. */
  at(row: number): Buffer {
    return this.#bytes.subarray(row * this.width, (row + 1) * this.width);
  }
}

/** Length of a part of `Paths`: no path is longer, and none lies in two parts. */
const pathsPart = 1 << 20;

/** Paths by number: their bytes and eight more each, where strings would take three times that. */
export class Paths {
  readonly #parts: Buffer[] = [];
  readonly #ends = Column.f64();
  #used = pathsPart;

  get length(): number {
    return this.#ends.length;
  }

  push(path: RawPath): void {
    if (path.length > pathsPart) throw new RangeError('a path is too long');
    if (this.#parts.length === 0 || this.#used + path.length > pathsPart) {
      this.#parts.push(Buffer.alloc(pathsPart));
      this.#used = 0;
    }
    const part = this.#parts.length - 1;
    (this.#parts[part] as Buffer).write(path, this.#used, 'latin1');
    this.#used += path.length;
    this.#ends.push(part * pathsPart + this.#used);
  }

  /** The path that was pushed with this number. */
  at(row: number): RawPath {
    const end = this.#ends.at(row);
    const part = Math.max(0, Math.ceil(end / pathsPart) - 1);
    const before = row === 0 ? 0 : this.#ends.at(row - 1);
    const from = Math.max(0, before - part * pathsPart);
    return (this.#parts[part] as Buffer).toString('latin1', from, end - part * pathsPart) as RawPath;
  }
}
