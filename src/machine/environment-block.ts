import { Buffer } from 'node:buffer';

/** What each of our blocks begins with: GRUB refuses a file without it. */
export const environmentHeader = '# GRUB Environment Block\n';

/** Bytes of each of our blocks. Names and values lie in the first 512, so that one sector is all that a write must bring. */
export const environmentSize = 1024;

/**
 * A GRUB environment block: lines `name=value`, filled up with `#` to its fixed size. Source of the format: GRUB's `util/grub-editenv.c`
 * and `grub-core/lib/envblk.c`. Throws a `RangeError` where the text does not fit into the first sector or a value needs escaping.
 */
export function renderEnvironment(values: Iterable<readonly [string, string]>): Buffer {
  let text = environmentHeader;
  for (const [name, value] of values) {
    if (!/^[\x20-\x5b\x5d-\x7e]*$/.test(value)) throw new RangeError(`“${value}” does not fit into a boot record`);
    text += `${name}=${value}\n`;
  }
  if (text.length > 512) throw new RangeError(`a boot record of ${text.length} bytes does not fit into one sector`);
  return Buffer.from(text.padEnd(environmentSize, '#'), 'latin1');
}

/**
 * The values of a block exactly as GRUB 2.06 reads them (`grub_envblk_iterate`), also where the block is damaged: a name goes on over line
 * ends until `=`, a backslash keeps the next byte, a NUL ends a name or value, the last of equal names counts. Undefined where GRUB
 * refuses the block. Bytes are `latin1` text.
 */
export function readEnvironment(block: Uint8Array): Map<string, string> | undefined {
  const text = Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString('latin1');
  if (text.length <= environmentHeader.length || !text.startsWith(environmentHeader)) return undefined;
  const values = new Map<string, string>();
  for (let at = environmentHeader.length; at < text.length; at = nextLine(text, at)) {
    if (text[at] === '#') continue;
    const equals = text.indexOf('=', at);
    if (equals < 0) break;
    let end = equals + 1;
    while (end < text.length && text[end] !== '\n') end += text[end] === '\\' ? 2 : 1;
    if (end >= text.length) break;
    const value = text.slice(equals + 1, end).replaceAll(/\\([\s\S])/g, '$1');
    values.set(untilNul(text.slice(at, equals)), untilNul(value));
    at = end;
  }
  return values;
}

function nextLine(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function untilNul(text: string): string {
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
}
