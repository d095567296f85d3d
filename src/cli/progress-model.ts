import type { ProgressUnit, TaskEvent } from '../foundation/task.ts';

/** One part of a task as the renderers see it. */
export interface ProgressPart {
  readonly key: string;
  /** From the task (one name) to this part. */
  readonly path: readonly string[];
  readonly started: number;
  ended?: number;
  state: 'running' | 'finished' | 'failed';
  done: number;
  total?: number;
  unit?: ProgressUnit;
  /** Where it stood at which time, over the last ten seconds: what rates are made of. */
  samples: { time: number; done: number }[];
}

const window = 10_000;

/** Folds task events into the parts that are running. Knows nothing of terminals. */
export class ProgressModel {
  readonly #parts = new Map<string, ProgressPart>();

  /** Takes in an event; returns the part that it speaks of, ended or not. */
  apply(event: TaskEvent): ProgressPart {
    const key = [event.taskId, ...event.path].join('\u0000');
    const known = this.#parts.get(key);
    const part: ProgressPart =
      known === undefined || event.kind === 'started'
        ? { key, path: event.path, started: event.time, state: 'running', done: 0, samples: [] }
        : known;
    // A remark from a part that never started, as `watch` makes them, is no part that runs.
    if (known !== undefined || event.kind === 'started' || event.kind === 'progress') this.#parts.set(key, part);
    if (event.done !== undefined) {
      part.done = event.done;
      part.samples.push({ time: event.time, done: event.done });
      while ((part.samples[0]?.time ?? event.time) < event.time - window && part.samples.length > 2)
        part.samples.shift();
    }
    if (event.total !== undefined) part.total = event.total;
    if (event.unit !== undefined) part.unit = event.unit;
    if (event.kind === 'finished' || event.kind === 'failed') {
      part.state = event.kind;
      part.ended = event.time;
      // Whatever a part had open below it ends with it.
      for (const other of this.#parts.keys())
        if (other === key || other.startsWith(`${key}\u0000`)) this.#parts.delete(other);
    }
    return part;
  }

  /** How many tasks run. */
  get tasks(): number {
    return [...this.#parts.values()].filter(({ path }) => path.length === 1).length;
  }

  /** The running parts, each after the part that it belongs to. */
  running(): ProgressPart[] {
    const parts = [...this.#parts.values()];
    const below = (key: string): ProgressPart[] =>
      parts
        .filter((part) => part.key.startsWith(`${key}\u0000`) && !part.key.slice(key.length + 1).includes('\u0000'))
        .flatMap((part) => [part, ...below(part.key)]);
    const keys = new Set(parts.map((part) => part.key));
    const roots = parts.filter((part) => !keys.has(parentKey(part.key)));
    return roots.flatMap((part) => [part, ...below(part.key)]);
  }
}

/** What a part has done a second, over the last ten seconds up to `now`; undefined where that cannot be said yet. */
export function rateOf(part: ProgressPart, now: number): number | undefined {
  const first = part.samples.find((sample) => sample.time >= now - window) ?? part.samples.at(-1);
  const last = part.samples.at(-1);
  if (!first || !last) return undefined;
  if (last.time < now - window) return 0;
  const base = first === last ? { time: part.started, done: 0 } : first;
  const seconds = (now - base.time) / 1000;
  return seconds < 0.5 ? undefined : (last.done - base.done) / seconds;
}

/** Milliseconds left at the present rate; undefined where nobody knows. */
export function timeLeft(part: ProgressPart, now: number): number | undefined {
  const rate = rateOf(part, now);
  if (part.total === undefined || rate === undefined || rate <= 0 || now - part.started < 2000) return undefined;
  const left = ((part.total - part.done) / rate) * 1000;
  return left > 100 * 3_600_000 ? undefined : Math.max(0, left);
}

/** 0 … 1, undefined where there is no total. Never 1 before all is done. */
export function fractionOf(part: ProgressPart): number | undefined {
  if (part.total === undefined) return undefined;
  if (part.total <= 0) return part.done > 0 ? 1 : 0;
  return Math.min(1, Math.max(0, part.done / part.total));
}

function parentKey(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('\u0000')));
}
