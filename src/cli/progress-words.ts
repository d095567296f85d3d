import { formatBytes } from '../foundation/bytes.ts';
import type { ProgressUnit } from '../foundation/task.ts';
import { formatSpan } from './format-time.ts';
import { fractionOf, type ProgressPart, rateOf, timeLeft } from './progress-model.ts';

/** `61 %`; `99 %` until everything is done. */
export function percentText(part: ProgressPart): string | undefined {
  const fraction = fractionOf(part);
  return fraction === undefined ? undefined : `${Math.floor(fraction * 100)} %`;
}

/** `1.2 GiB of 2 GiB`, `12,034 of 60,000 files`, `820 MiB` where the total is not known. */
export function countText(part: ProgressPart): string | undefined {
  if (part.unit === undefined) return undefined;
  const done = amountText(part.done, part.unit);
  if (part.total === undefined) return part.unit === 'bytes' ? done : `${done} ${part.unit}`;
  const total = amountText(part.total, part.unit);
  return part.unit === 'bytes' ? `${done} of ${total}` : `${done} of ${total} ${part.unit}`;
}

/** What a part that has ended did: `2 GiB`, `60,000 files`; nothing for steps, which its end says already. */
export function doneText(part: ProgressPart): string {
  if (part.unit === undefined || part.unit === 'steps') return '';
  return part.unit === 'bytes'
    ? amountText(part.done, 'bytes')
    : `${amountText(part.done, part.unit)} ${part.done === 1 ? part.unit.slice(0, -1) : part.unit}`;
}

/** `85 MiB/s`, `1,200 files/s`; nothing for steps, whose rate says nothing. */
export function rateText(part: ProgressPart, now: number): string | undefined {
  const rate = rateOf(part, now);
  if (rate === undefined || part.unit === undefined || part.unit === 'steps' || part.unit === 'items') return undefined;
  return part.unit === 'bytes' ? `${formatBytes(rate)}/s` : `${amountText(Math.round(rate), part.unit)} ${part.unit}/s`;
}

/** `14 s left`. */
export function leftText(part: ProgressPart, now: number): string | undefined {
  const left = timeLeft(part, now);
  if (left === undefined) return undefined;
  return `${formatSpan(Math.max(1000, Math.round(left / 1000) * 1000)).replace(/\.0 s$/, ' s')} left`;
}

function amountText(amount: number, unit: ProgressUnit): string {
  return unit === 'bytes' ? formatBytes(amount) : amount.toLocaleString('en-GB');
}
