import { FormatError } from './format-error.ts';

/**
 * The wire form of Protocol Buffers (https://protobuf.dev/programming-guides/encoding/), as far as the manifest needs it:
 * varints, lengths, zigzag. Numbers are JavaScript numbers, so nothing past 2^53 − 1 is taken.
 */
export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Writes at the end of a buffer that grows. */
export class WireWriter {
  #buffer = Buffer.allocUnsafe(1 << 16);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written, as a view that the next write may change. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** A field of a number; zero is written only when `always`. */
  number(field: number, value: number, always = false): void {
    if (value === 0 && !always) return;
    this.#reserve(12);
    this.#varint(field * 8 + wireTypes.varint);
    this.#varint(value);
  }

  /** A field of a signed number, zigzag. */
  signed(field: number, value: number): void {
    this.number(field, value < 0 ? -value * 2 - 1 : value * 2);
  }

  /** A field of bytes; empty ones are written only when `always`. */
  bytes(field: number, value: Uint8Array, always = false): void {
    if (value.length === 0 && !always) return;
    this.head(field, value.length);
    this.raw(value);
  }

  /** A field of bytes given as latin1. */
  latin1(field: number, value: string, always = false): void {
    if (value.length === 0 && !always) return;
    this.head(field, value.length);
    this.#reserve(value.length);
    this.#length += this.#buffer.write(value, this.#length, value.length, 'latin1');
  }

  /** A field of many numbers, packed. */
  packed(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    let length = 0;
    for (const value of values) length += varintLength(value);
    this.head(field, length);
    this.#reserve(length + 10);
    for (const value of values) this.#varint(value);
  }

  /** Tag and length of a field of bytes that the caller writes next. */
  head(field: number, length: number): void {
    this.#reserve(20);
    this.#varint(field * 8 + wireTypes.bytes);
    this.#varint(length);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} cannot be written as a number`);
    let rest = value;
    // Most numbers are small ones, for which the processor's own operations do.
    while (rest > 0x7fffffff) {
      this.#buffer[this.#length] = (rest % 0x80) + 0x80;
      this.#length += 1;
      rest = Math.floor(rest / 0x80);
    }
    while (rest > 0x7f) {
      this.#buffer[this.#length] = (rest & 0x7f) | 0x80;
      this.#length += 1;
      rest >>>= 7;
    }
    this.#buffer[this.#length] = rest;
    this.#length += 1;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** Reads forward through bytes, never past `end`. Every method throws a `FormatError` on what cannot be. */
export class WireReader {
  readonly buffer: Buffer;
  position: number;
  end: number;

  constructor(buffer: Buffer, position = 0, end = buffer.length) {
    this.buffer = buffer;
    this.position = position;
    this.end = end;
  }

  varint(): number {
    const { buffer } = this;
    let at = this.position;
    let value = 0;
    let scale = 1;
    for (;;) {
      if (at >= this.end) throw new FormatError('a number is cut short');
      const byte = buffer[at] as number;
      at += 1;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
      if (at - this.position >= 10) throw new FormatError('a number is too long');
    }
    if (value > Number.MAX_SAFE_INTEGER) throw new FormatError('a number is too large');
    this.position = at;
    return value;
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A number of at most 32 bits. */
  uint32(): number {
    const value = this.varint();
    if (value > 0xffffffff) throw new FormatError('a number is too large');
    return value;
  }

  /** The length of what follows, which must lie before `end`; the position is then at its first byte. */
  length(): number {
    const length = this.varint();
    if (length > this.end - this.position) throw new FormatError('a length reaches past the end');
    return length;
  }

  /** A view of the bytes of a field. */
  bytes(): Buffer {
    const length = this.length();
    const from = this.position;
    this.position += length;
    return this.buffer.subarray(from, this.position);
  }

  latin1(): string {
    const length = this.length();
    const from = this.position;
    this.position += length;
    return this.buffer.toString('latin1', from, this.position);
  }

  /** All numbers of a packed field are given to `take`. */
  packed(take: (value: number) => void): void {
    const length = this.length();
    const outer = this.end;
    this.end = this.position + length;
    while (this.position < this.end) take(this.varint());
    this.end = outer;
  }

  /** All numbers of a packed field, after those that there are already. */
  numbers(list: number[] = []): number[] {
    const length = this.length();
    const outer = this.end;
    this.end = this.position + length;
    while (this.position < this.end) list.push(this.varint());
    this.end = outer;
    return list;
  }

  /** Passes over a field's value. */
  skip(wireType: number): void {
    if (wireType === wireTypes.varint) this.#skipVarint();
    else if (wireType === wireTypes.bytes) this.bytes();
    else if (wireType === wireTypes.fixed64) this.#advance(8);
    else if (wireType === wireTypes.fixed32) this.#advance(4);
    else throw new FormatError(`the wire type ${wireType} is not known`);
  }

  /** A number of another format may be larger than what we can hold. */
  #skipVarint(): void {
    for (let count = 0; count < 10; count += 1) {
      if (this.position >= this.end) throw new FormatError('a number is cut short');
      const byte = this.buffer[this.position] as number;
      this.position += 1;
      if (byte < 0x80) return;
    }
    throw new FormatError('a number is too long');
  }

  #advance(by: number): void {
    if (by > this.end - this.position) throw new FormatError('a value is cut short');
    this.position += by;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) length += 1;
  return length;
}
