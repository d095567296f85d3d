import { displayPath, type RawPath } from '../foundation/brand.ts';
import { formatBytes } from '../foundation/bytes.ts';
import type { EntryAttribute } from '../image/diff.ts';
import type { Entry } from '../image/entry.ts';

/** What an entry has for an attribute, in words that are equal only where it is. */
export function attributeWords(entry: Entry, attribute: EntryAttribute): string {
  switch (attribute) {
    case 'type':
      return entry.type;
    case 'content':
      return contentName(entry);
    case 'size':
      return String(entry.size ?? 0);
    case 'holes':
      return formatBytes((entry.size ?? 0) - dataLength(entry));
    case 'mode':
      return entry.mode.toString(8).padStart(4, '0');
    case 'owner':
      return `${entry.uid}:${entry.gid}`;
    case 'mtime':
      return timeWords(entry);
    case 'xattr':
      return (
        (entry.xattrs ?? [])
          .map(({ name, value }) => `${displayPath(name as RawPath)}=${valueWords(value)}`)
          .join(' ') || 'none'
      );
    case 'target':
      return entry.target === undefined ? 'none' : displayPath(entry.target);
    case 'device':
      return entry.major === undefined ? 'none' : `${entry.major}:${entry.minor ?? 0}`;
  }
}

/** The first digits of its only chunk, or how many there are: enough to tell two contents apart by eye. */
function contentName({ chunks = [] }: Entry): string {
  const [first] = chunks;
  if (first === undefined) return 'empty';
  const digits = Buffer.from(first.hash).toString('hex').slice(0, 12);
  return chunks.length === 1 ? digits : `${digits}… (${chunks.length} chunks)`;
}

function dataLength({ segments, size = 0 }: Entry): number {
  return segments?.reduce((sum, { length }) => sum + length, 0) ?? size;
}

function timeWords({ mtime }: Entry): string {
  const date = new Date(mtime.seconds * 1000);
  const fraction = String(mtime.nanoseconds).padStart(9, '0');
  if (Number.isNaN(date.getTime())) return `${mtime.seconds}.${fraction}`;
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}.${fraction}`;
}

function valueWords(value: Uint8Array): string {
  const text = Buffer.from(value).toString('latin1').replace(/\0$/, '');
  return /^[\x20-\x7e]*$/.test(text) ? `“${text}”` : `0x${Buffer.from(value).toString('hex')}`;
}
