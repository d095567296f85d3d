import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';

/**
 * How far a live system has moved onto its disk (docs/decisions/026-live-installs.md). It is written down before the tables are changed, so
 * that after a cut each phase is gone on with, never an earlier one.
 */
export const livePhases = ['copying', 'copied', 'merging', 'done'] as const;
export type LivePhase = (typeof livePhases)[number];

/** Everything that a start needs to put the root together again. Sizes and places in sectors of 512 bytes. */
export interface LiveRecord {
  /** Rises by one with each record. */
  readonly sequence: number;
  readonly phase: LivePhase;
  /** Digest of the version that the source is made of, and what else decides its bytes: the same words give the same source. */
  readonly source: string;
  /** Of the source. */
  readonly size: number;
  /** Where the root's partition begins on its disk, and how long it is. */
  readonly start: number;
  readonly length: number;
  /** Within the partition, behind the source's range: where changes are kept until they are merged. */
  readonly changesAt: number;
  readonly changesLength: number;
}

/** Bytes of one record. Two lie behind each other, written in turn. */
export const liveRecordSize = 4096;
const magic = 'imprint live record 1\n';

/** Throws a `RangeError` for a record that says what cannot be. */
export function renderLiveRecord(record: LiveRecord): Buffer {
  const problem = recordProblem(record);
  if (problem !== undefined) throw new RangeError(problem);
  const { sequence, phase, source, size, start, length, changesAt, changesLength } = record;
  const fields = { sequence, phase, source, size, start, length, changesAt, changesLength };
  const text =
    magic +
    Object.entries(fields)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('');
  const whole = `${text}sum=${checksum(text)}\n`;
  if (whole.length > 512) throw new RangeError('a record must fit into one sector');
  const block = Buffer.alloc(liveRecordSize);
  block.write(whole, 'latin1');
  return block;
}

/** The record that a block holds; undefined where there is none, or a damaged one. */
export function parseLiveRecord(block: Uint8Array): LiveRecord | undefined {
  const text = Buffer.from(block.buffer, block.byteOffset, Math.min(block.byteLength, 512)).toString('latin1');
  const match = /^((?:.*\n)*?)sum=([0-9a-f]{64})\n/.exec(text);
  const [, body = '', sum] = match ?? [];
  if (!body.startsWith(magic) || checksum(body) !== sum) return undefined;
  const values = new Map<string, string>();
  for (const line of body.slice(magic.length).split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) values.set(line.slice(0, equals), line.slice(equals + 1));
  }
  const number = (name: string) => Number(values.get(name) ?? Number.NaN);
  const phase = livePhases.find((each) => each === values.get('phase'));
  if (phase === undefined) return undefined;
  const record: LiveRecord = {
    ...{ sequence: number('sequence'), phase, source: values.get('source') ?? '', size: number('size') },
    ...{ start: number('start'), length: number('length') },
    ...{ changesAt: number('changesAt'), changesLength: number('changesLength') },
  };
  return recordProblem(record) === undefined ? record : undefined;
}

/** Of the two the one that counts, and where the next one is to be written: 0 or 1. */
export function chooseLiveRecord(blocks: readonly [Uint8Array, Uint8Array]): {
  record: LiveRecord | undefined;
  next: 0 | 1;
} {
  const [first, second] = blocks.map(parseLiveRecord);
  if (first === undefined) return { record: second, next: 0 };
  if (second === undefined || second.sequence < first.sequence) return { record: first, next: 1 };
  return { record: second, next: 0 };
}

function recordProblem({
  sequence,
  source,
  size,
  start,
  length,
  changesAt,
  changesLength,
}: LiveRecord): string | undefined {
  const numbers = [sequence, size, length, changesAt, changesLength];
  if (!numbers.every((value) => Number.isSafeInteger(value) && value > 0)) return 'a number is none';
  if (!Number.isSafeInteger(start) || start < 0) return 'the beginning is none';
  if (!/^[\x21-\x7e]{1,200}$/.test(source)) return 'the source has no name';
  if (changesAt < size) return 'changes would lie in what is filled';
  if (changesAt + changesLength > length) return 'changes would lie behind the partition';
  return undefined;
}

function checksum(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex');
}
