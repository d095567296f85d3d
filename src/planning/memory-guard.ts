import { formatBytes } from '../foundation/bytes.ts';

/**
 * How near a live system is to the end of the memory that its writes are kept in. A snapshot whose store is full is of no use any more, so that never happens: first
 * people are told, then whoever writes is slowed, then nothing is written any more.
 */
export const memoryLevels = ['calm', 'warned', 'slowed', 'stopped'] as const;
export type MemoryLevel = (typeof memoryLevels)[number];

export interface MemoryState {
  /** Bytes. */
  readonly used: number;
  readonly size: number;
}

/** Per cent from which a level counts. One is left only well below it: at its edge it would be said again and again. */
const from: Readonly<Record<MemoryLevel, number>> = { calm: 0, warned: 75, slowed: 90, stopped: 97 };
const slack = 2;

/** The level that follows one. What was stopped stays so until the changes lie elsewhere: what comes back to write would only fill the rest. */
export function nextMemoryLevel({ used, size }: MemoryState, before: MemoryLevel): MemoryLevel {
  if (before === 'stopped') return 'stopped';
  const percent = size > 0 ? (used / size) * 100 : 100;
  const now = memoryLevels.findLast((level) => percent >= from[level]) ?? 'calm';
  const [rank, old] = [memoryLevels.indexOf(now), memoryLevels.indexOf(before)];
  if (rank >= old || percent < from[before] - slack) return now;
  return before;
}

/** Milliseconds in every second for which writers are held: more, the less room there is. Never more than half a second. */
export function writersPause({ used, size }: MemoryState): number {
  const percent = (used / size) * 100;
  const share = (percent - from.slowed) / (from.stopped - from.slowed);
  return Math.round(100 + 400 * Math.min(1, Math.max(0, share)));
}

/** Bytes that may wait in memory to be written, so that what is written at once when nothing more may be fits into what is left. */
export function unwrittenLimit(size: number): number {
  const mebibyte = 1 << 20;
  return Math.max(4 * mebibyte, Math.floor((size * (100 - from.stopped)) / 100 / 3));
}

/** What people are told; undefined: nothing. */
export function memoryWarning(
  level: MemoryLevel,
  { used, size }: MemoryState,
  place: 'memory' | 'file' = 'memory',
): string | undefined {
  if (level === 'calm') return undefined;
  const full = `The ${place} for what this live system writes is ${Math.floor((used / size) * 100)} % full (${formatBytes(used)} of ${formatBytes(size)})`;
  const todo =
    place === 'memory'
      ? 'Move it onto a disk (imprint install --live), or restart: what was written since the start is gone then.'
      : 'Move it onto a disk (imprint install --live).';
  const what = {
    warned: `${full}.`,
    slowed: `${full}: whoever writes is slowed.`,
    stopped: `${full}: its root can only be read now, so that nothing breaks.`,
  }[level];
  return `${what} ${todo}`;
}
