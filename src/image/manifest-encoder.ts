import { type Entry, entryTypes } from './entry.ts';
import { EntryCheck } from './entry-check.ts';
import { entryField, manifestField, manifestFormat, xattrField } from './manifest-fields.ts';
import { WireWriter } from './wire.ts';

const typeNumbers = new Map(entryTypes.map((type, number) => [type, number]));

/**
 * Turns entries into the bytes of a manifest, batch by batch. The same entries always give the same bytes: fields by their
 * numbers, those that are zero or empty left out, unknown ones last.
 */
export class ManifestEncoder {
  readonly #check: Pick<EntryCheck, 'check' | 'end'>;
  readonly #message = new WireWriter();
  readonly #out = new WireWriter();
  readonly #inner = new WireWriter();
  #begun = false;

  /** @param check other rules than those of a manifest, for entries that are put aside on their way */
  constructor(check: Pick<EntryCheck, 'check' | 'end'> = new EntryCheck()) {
    this.#check = check;
  }

  /** The bytes of the next entries. Throws a `FormatError` where one breaks the rules (`EntryCheck`). */
  encode(entries: readonly Entry[]): Buffer {
    const out = this.#out;
    out.clear();
    if (!this.#begun) this.#writeHeader();
    for (const entry of entries) {
      this.#check.check(entry);
      const message = this.#message;
      message.clear();
      writeEntry(message, entry, this.#inner);
      out.bytes(manifestField.entry, message.view(), true);
    }
    return Buffer.from(out.view());
  }

  /** Must be called after the last entry. Throws a `FormatError` where there was none. */
  end(): void {
    this.#check.end();
  }

  #writeHeader(): void {
    this.#begun = true;
    this.#message.clear();
    this.#message.number(1, manifestFormat);
    this.#out.bytes(manifestField.header, this.#message.view(), true);
  }
}

function writeEntry(out: WireWriter, entry: Entry, inner: WireWriter): void {
  out.latin1(entryField.path, entry.path);
  out.number(entryField.type, typeNumbers.get(entry.type) ?? 0);
  out.number(entryField.mode, entry.mode);
  out.number(entryField.uid, entry.uid);
  out.number(entryField.gid, entry.gid);
  out.signed(entryField.mtimeSeconds, entry.mtime.seconds);
  out.number(entryField.mtimeNanoseconds, entry.mtime.nanoseconds);
  for (const xattr of sortedXattrs(entry)) {
    inner.clear();
    inner.latin1(xattrField.name, xattr.name);
    inner.bytes(xattrField.value, xattr.value);
    out.bytes(entryField.xattr, inner.view(), true);
  }
  out.number(entryField.size, entry.size ?? 0);
  if (entry.chunks !== undefined && entry.chunks.length > 0) {
    out.head(entryField.chunkHashes, entry.chunks.length * 32);
    for (const { hash } of entry.chunks) {
      if (hash.length !== 32) throw new RangeError('a chunk hash has 32 bytes');
      out.raw(hash);
    }
    out.packed(
      entryField.chunkLengths,
      entry.chunks.map((chunk) => chunk.length),
    );
  }
  if (entry.segments !== undefined) {
    const numbers = entry.segments.flatMap(({ offset, length }) => [offset, length]);
    // A file that is one hole has segments, but none: say so, for without the field it would be full of data.
    if (numbers.length > 0) out.packed(entryField.segments, numbers);
    else out.head(entryField.segments, 0);
  }
  out.latin1(entryField.target, entry.target ?? '');
  out.number(entryField.major, entry.major ?? 0);
  out.number(entryField.minor, entry.minor ?? 0);
  if (entry.unknown !== undefined) out.raw(entry.unknown);
}

function sortedXattrs({ xattrs = [] }: Entry) {
  return xattrs.length < 2 ? xattrs : xattrs.toSorted((left, right) => (left.name < right.name ? -1 : 1));
}
