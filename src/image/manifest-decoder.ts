import type { RawPath } from '../foundation/brand.ts';
import { type DataSegment, type Entry, type ExtendedAttribute, entryTypes, type WantedEntries } from './entry.ts';
import { EntryCheck } from './entry-check.ts';
import { FormatError } from './format-error.ts';
import { entryField, manifestField, manifestFormat, xattrField } from './manifest-fields.ts';
import { WireReader, wireTypes } from './wire.ts';

/** Length of one entry's message, at most: a file of 2 TiB, in chunks as `cutter.ts` makes them, needs some 85 MB. */
const messageLimit = 256 << 20;
/** Items that are given out at once: so few that they are forgotten before the collector of garbage has moved them. */
const batchLength = 1024;

/** Takes the bytes of a manifest in pieces of any length, and makes an item of each entry's message. */
abstract class ManifestReader<Item> {
  #rest: Buffer = Buffer.alloc(0);
  #begun = false;

  /** What the messages that are complete with these bytes became. Throws a `FormatError`. */
  push(bytes: Buffer): Item[] {
    return [...this.batches(bytes)].flat();
  }

  /** The same, some at a time. To be read to its end. */
  *batches(bytes: Buffer): Generator<Item[]> {
    const buffer = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const reader = new WireReader(buffer);
    let items: Item[] = [];
    let from = 0;
    while (nextIsComplete(reader)) {
      const tag = reader.varint();
      const end = tag % 8 === wireTypes.bytes ? reader.length() + reader.position : undefined;
      if (tag === manifestField.entry * 8 + wireTypes.bytes && end !== undefined) {
        if (!this.#begun) throw new FormatError('it has no header');
        items.push(this.take(reader, end));
        if (items.length === batchLength) {
          yield items;
          items = [];
        }
      } else if (tag === manifestField.header * 8 + wireTypes.bytes && end !== undefined) {
        this.#header(reader, end);
      } else if (end !== undefined) {
        reader.position = end;
      } else {
        reader.skip(tag % 8);
      }
      from = reader.position;
    }
    this.#rest = buffer.subarray(from);
    if (items.length > 0) yield items;
  }

  /** Must be called after the last byte. Throws a `FormatError` where something is missing. */
  end(): void {
    if (this.#rest.length > 0) throw new FormatError('it is cut short');
  }

  /** The message from the reader's position to `end`, where the reader is left. */
  protected abstract take(reader: WireReader, end: number): Item;

  #header(reader: WireReader, end: number): void {
    if (this.#begun) throw new FormatError('it has two headers');
    this.#begun = true;
    let format = 0;
    eachField(reader, end, (field, wireType) => {
      if (field === 1 && wireType === wireTypes.varint) format = reader.varint();
      else reader.skip(wireType);
    });
    if (format !== manifestFormat) throw new FormatError(`its format ${format} is not known here`);
  }
}

/**
 * Turns the bytes of a manifest into entries; the rules of `EntryCheck` hold for all that come out. Byte arrays of entries are
 * views into the pieces given, which must not change afterwards.
 */
export class ManifestDecoder extends ManifestReader<Entry> {
  readonly #check: Pick<EntryCheck, 'check' | 'end'>;

  /** @param check other rules than those of a manifest, for entries that were put aside on their way */
  constructor(check: Pick<EntryCheck, 'check' | 'end'> = new EntryCheck()) {
    super();
    this.#check = check;
  }

  override end(): void {
    super.end();
    this.#check.end();
  }

  protected override take(reader: WireReader, end: number): Entry {
    const entry = readEntry(reader, end);
    this.#check.check(entry);
    return entry;
  }
}

/**
 * Gives the entries that are wanted, by their numbers, and undefined in place of each other one. Unchecked: for a manifest all of which was read, and checked, before.
 */
export class ManifestPicker extends ManifestReader<Entry | undefined> {
  readonly #wanted: WantedEntries;
  #row = 0;

  constructor(wanted: WantedEntries) {
    super();
    this.#wanted = wanted;
  }

  protected override take(reader: WireReader, end: number): Entry | undefined {
    const wanted = this.#wanted(this.#row);
    this.#row += 1;
    if (wanted) return readEntry(reader, end);
    reader.position = end;
    return undefined;
  }
}

/**
 * Gives each entry as the bytes of its message, undecoded and unchecked: equal entries have equal bytes, since writers leave no
 * choice. For `decodeEntry` and `pathOfMessage`.
 */
export class ManifestSplitter extends ManifestReader<Buffer> {
  protected override take(reader: WireReader, end: number): Buffer {
    const message = reader.buffer.subarray(reader.position, end);
    reader.position = end;
    return message;
  }
}

/** The entry of one message. Throws a `FormatError`. */
export function decodeEntry(message: Buffer): Entry {
  return readEntry(new WireReader(message), message.length);
}

/** The path of one message: its first field, unless another writer ordered them otherwise. */
export function pathOfMessage(message: Buffer): RawPath {
  if (message[0] !== entryField.path * 8 + wireTypes.bytes) return decodeEntry(message).path;
  const reader = new WireReader(message, 1);
  return reader.latin1() as RawPath;
}

/** Whether the whole of the next field has arrived; leaves the position where it is. */
function nextIsComplete(reader: WireReader): boolean {
  const { buffer, position, end } = reader;
  let at = position;
  while (at < end && (buffer[at] as number) >= 0x80) at += 1;
  if (at >= end) {
    if (at - position >= 10) throw new FormatError('a number is too long');
    return false;
  }
  const wireType = (buffer[position] as number) & 7;
  at += 1;
  if (wireType === wireTypes.bytes || wireType === wireTypes.varint) {
    const valueAt = at;
    while (at < end && (buffer[at] as number) >= 0x80) at += 1;
    if (at >= end) {
      if (at - valueAt >= 10) throw new FormatError('a number is too long');
      return false;
    }
    if (wireType === wireTypes.varint) return true;
    reader.position = valueAt;
    const length = reader.varint();
    reader.position = position;
    if (length > messageLimit) throw new FormatError('an entry is too long');
    return length <= end - at - 1;
  }
  if (wireType === wireTypes.fixed64) return end - at >= 8;
  if (wireType === wireTypes.fixed32) return end - at >= 4;
  throw new FormatError(`the wire type ${wireType} is not known`);
}

function readEntry(reader: WireReader, end: number): Entry {
  const entry: Entry = {
    path: '' as RawPath,
    type: 'file',
    mode: 0,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
  };
  let hashes: Buffer | undefined;
  let lengths: number[] | undefined;
  let numbers: number[] | undefined;
  const outerEnd = reader.end;
  reader.end = end;
  while (reader.position < end) {
    const start = reader.position;
    const tag = reader.varint();
    switch (tag) {
      case entryField.path * 8 + 2:
        entry.path = reader.latin1() as RawPath;
        break;
      case entryField.type * 8:
        entry.type = entryTypeOf(reader.varint());
        break;
      case entryField.mode * 8:
        entry.mode = reader.uint32();
        break;
      case entryField.uid * 8:
        entry.uid = reader.uint32();
        break;
      case entryField.gid * 8:
        entry.gid = reader.uint32();
        break;
      case entryField.mtimeSeconds * 8:
        entry.mtime.seconds = reader.signed();
        break;
      case entryField.mtimeNanoseconds * 8:
        entry.mtime.nanoseconds = reader.uint32();
        break;
      case entryField.xattr * 8 + 2:
        entry.xattrs ??= [];
        entry.xattrs.push(readXattr(reader));
        break;
      case entryField.size * 8:
        entry.size = reader.varint();
        break;
      case entryField.chunkHashes * 8 + 2:
        hashes = reader.bytes();
        break;
      case entryField.chunkLengths * 8 + 2:
        lengths = reader.numbers(lengths);
        break;
      case entryField.segments * 8 + 2:
        numbers = reader.numbers(numbers);
        break;
      case entryField.target * 8 + 2:
        entry.target = reader.latin1() as RawPath;
        break;
      case entryField.major * 8:
        entry.major = reader.uint32();
        break;
      case entryField.minor * 8:
        entry.minor = reader.uint32();
        break;
      default:
        reader.skip(tag % 8);
        keepUnknown(entry, tag, reader.buffer.subarray(start, reader.position));
    }
  }
  reader.end = outerEnd;
  if (reader.position !== end) throw new FormatError('an entry is cut short');
  putContent(entry, hashes, lengths, numbers);
  return entry;
}

function entryTypeOf(number: number) {
  const type = entryTypes[number];
  if (type === undefined) throw new FormatError(`the entry type ${number} is not known here`);
  return type;
}

function keepUnknown(entry: Entry, tag: number, bytes: Buffer): void {
  const field = Math.floor(tag / 8);
  // A known field in an unknown form would come out twice, and differently to each reader.
  if (field === 0 || field <= entryField.minor)
    throw new FormatError(`the field ${field} of an entry has the wrong form`);
  entry.unknown = entry.unknown === undefined ? bytes : Buffer.concat([entry.unknown, bytes]);
}

function readXattr(reader: WireReader): ExtendedAttribute {
  const xattr: ExtendedAttribute = { name: '', value: Buffer.alloc(0) };
  const length = reader.length();
  eachField(reader, reader.position + length, (field, wireType) => {
    if (field === xattrField.name && wireType === wireTypes.bytes) xattr.name = reader.latin1();
    else if (field === xattrField.value && wireType === wireTypes.bytes) xattr.value = reader.bytes();
    else reader.skip(wireType);
  });
  if (xattr.name === '' || xattr.name.includes('\0')) throw new FormatError('an extended attribute has no name');
  return xattr;
}

function putContent(
  entry: Entry,
  hashes: Buffer | undefined,
  lengths: readonly number[] = [],
  numbers: readonly number[] | undefined,
): void {
  if ((hashes?.length ?? 0) !== lengths.length * 32) throw new FormatError('hashes and lengths of chunks do not match');
  if (hashes !== undefined) {
    const all = hashes;
    const [only] = lengths;
    // Most files are one chunk.
    if (lengths.length === 1 && only !== undefined) entry.chunks = [{ hash: all, length: only }];
    else entry.chunks = lengths.map((length, index) => ({ hash: all.subarray(index * 32, index * 32 + 32), length }));
  }
  if (numbers !== undefined) {
    if (numbers.length % 2 !== 0) throw new FormatError('a segment has no length');
    const segments: DataSegment[] = [];
    for (let index = 0; index < numbers.length; index += 2)
      segments.push({ offset: numbers[index] as number, length: numbers[index + 1] as number });
    entry.segments = segments;
  }
  if (entry.type === 'file') {
    entry.size ??= 0;
    entry.chunks ??= [];
  }
  if (entry.type === 'character' || entry.type === 'block') {
    entry.major ??= 0;
    entry.minor ??= 0;
  }
}

function eachField(reader: WireReader, end: number, take: (field: number, wireType: number) => void): void {
  const outerEnd = reader.end;
  reader.end = end;
  while (reader.position < end) {
    const tag = reader.varint();
    take(Math.floor(tag / 8), tag % 8);
  }
  reader.end = outerEnd;
}
