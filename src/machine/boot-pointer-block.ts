import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { BootPointer, TrialCount } from './boot-pointer.ts';
import { environmentHeader, readEnvironment, renderEnvironment } from './environment-block.ts';

/** Form of an entry's id. GRUB checks it by the same expression. */
export const entryIdPattern = '^[a-z][a-z0-9-]{0,39}$';
/** Form of a sequence number: what GRUB compares right on every platform. */
export const sequencePattern = '^[1-9][0-9]{0,8}$';
/** Form of a number of tries. GRUB cannot count, so the script knows each. */
export const triesPattern = '^[0-9]$';

export const greatestSequence = 999_999_999;
export const greatestTries = 9;

/** True where `id` can be the id of an entry. */
export function isEntryId(id: string): boolean {
  return new RegExp(entryIdPattern).test(id);
}

/**
 * A record of the pointer as it lies on the boot partition (docs/boot.md): 1024 bytes, all that matters in the first 512.
 * Throws a `RangeError` for what is no pointer.
 */
export function renderPointer(pointer: BootPointer): Buffer {
  const { sequence, good, previous = '', trial = '', tries } = pointer;
  const problem = pointerProblem(String(sequence), good, previous, trial, String(tries));
  if (problem !== undefined) throw new RangeError(problem);
  const fields: [string, string][] = [
    ['seq', String(sequence)],
    ['good', good],
    ['previous', previous],
    ['trial', trial],
    ['tries', String(tries)],
  ];
  const summed = environmentHeader + fields.map(([name, value]) => `${name}=${value}\n`).join('');
  fields.push(['sum', checksum(summed)]);
  // Everything once more in one line: what GRUB, which cannot make checksums, compares.
  fields.push(['end', fields.map(([, value]) => value).join(',')]);
  return renderEnvironment(fields);
}

/** The record that a block holds; undefined where it is damaged in any byte that GRUB or userspace checks. */
export function parsePointer(block: Uint8Array): BootPointer | undefined {
  const values = readEnvironment(block);
  const pointer = values && pointerOf(values);
  if (pointer === undefined) return undefined;
  // The one form that we write, so that it has its checksum and no byte is another; what fills it up means nothing.
  const written = renderPointer(pointer);
  const length = written.lastIndexOf('\n') + 1;
  return written.subarray(0, length).equals(block.subarray(0, length)) ? pointer : undefined;
}

/** The record as GRUB takes it: it compares the fields with their copy in `end`, but makes no checksum. For tests, and to tell what GRUB saw. */
export function parsePointerAsGrub(block: Uint8Array): BootPointer | undefined {
  const values = readEnvironment(block);
  return values && pointerOf(values);
}

/** Of two records the one that counts: the one with the higher sequence number; the first of equal ones. */
export function choosePointer(a: BootPointer | undefined, b: BootPointer | undefined): BootPointer | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.sequence > a.sequence ? b : a;
}

/** `tries.env`, 1024 bytes. Throws a `RangeError` for what is no count. */
export function renderTries(count: TrialCount): Buffer {
  const { sequence, left, revert, newLeft } = count;
  const fields = [
    ['form', '1'],
    ['seq', sequence === 0 ? '' : String(sequence)],
    ['left', String(left)],
    ['revert', revert === undefined ? '' : String(revert)],
    ['new_left', newLeft === undefined ? '' : String(newLeft)],
  ] as const;
  const numbers = [sequence, left, revert ?? 0, newLeft ?? 0];
  if (!numbers.every(Number.isSafeInteger) || left > greatestTries || (newLeft ?? 0) > greatestTries)
    throw new RangeError('it is no count of tries');
  return renderEnvironment(fields);
}

/** The tries that a block counts; undefined where GRUB cannot read it either: then no try is left. */
export function parseTries(block: Uint8Array): TrialCount | undefined {
  const values = readEnvironment(block);
  if (values?.get('form') !== '1') return undefined;
  const sequence = matching(values.get('seq'), sequencePattern) ?? 0;
  const revert = matching(values.get('revert'), sequencePattern);
  // What is no number of tries is none, as in GRUB; an empty one was not begun.
  const dropped = values.get('new_left') ?? '';
  const newLeft = dropped === '' ? undefined : (matching(dropped, triesPattern) ?? 0);
  return {
    sequence,
    left: matching(values.get('left'), triesPattern) ?? 0,
    ...(revert !== undefined && { revert }),
    ...(newLeft !== undefined && { newLeft }),
  };
}

/** The first 16 hexadecimal digits of the SHA-256 of a record's text up to its line `sum`: any shell can make it with `sha256sum`. */
function checksum(text: string): string {
  return createHash('sha256').update(Buffer.from(text, 'latin1')).digest('hex').slice(0, 16);
}

function pointerOf(values: Map<string, string>): BootPointer | undefined {
  const fields = ['seq', 'good', 'previous', 'trial', 'tries', 'sum'].map((name) => values.get(name) ?? '');
  if (values.get('end') !== fields.join(',')) return undefined;
  const [sequence = '', good = '', previous = '', trial = '', tries = ''] = fields;
  if (pointerProblem(sequence, good, previous, trial, tries) !== undefined) return undefined;
  return {
    sequence: Number(sequence),
    good,
    ...(previous !== '' && { previous }),
    ...(trial !== '' && { trial }),
    tries: Number(tries),
  };
}

function pointerProblem(sequence: string, good: string, previous: string, trial: string, tries: string) {
  if (!new RegExp(sequencePattern).test(sequence)) return `${sequence} is no sequence number`;
  if (!new RegExp(triesPattern).test(tries)) return `${tries} is no number of tries (0 to ${greatestTries})`;
  for (const id of [good, ...[previous, trial].filter((other) => other !== '')]) {
    if (!isEntryId(id)) return `“${id}” is no id of an entry`;
  }
  return undefined;
}

function matching(text: string | undefined, pattern: string): number | undefined {
  return text !== undefined && new RegExp(pattern).test(text) ? Number(text) : undefined;
}
