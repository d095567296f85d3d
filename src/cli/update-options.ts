import type { UpdateOptions } from '../contract/update.ts';
import { driftPolicySchema, rebootMethodSchema } from '../contract/update.ts';
import { parseBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Invocation } from './command.ts';

/** When an update is to happen: at once, at the next restart that somebody makes, or at a moment (milliseconds since 1970). */
export type When = { kind: 'now' } | { kind: 'reboot' } | { kind: 'at'; time: number };

/** The options of `imprint update` and `imprint revert`; those that a command has not are absent. Throws `input-invalid`. */
export function readUpdateOptions(invocation: Invocation): UpdateOptions {
  const slot = invocation.text('slot');
  const drift = oneOf('--drift', invocation.text('drift'), driftPolicySchema.options);
  const reboot = oneOf('--reboot', invocation.text('reboot'), rebootMethodSchema.options);
  const tries = invocation.text('tries');
  const rate = invocation.text('rate');
  return {
    ...(invocation.flag('inPlace') ? { inPlace: true } : {}),
    ...(invocation.flag('restartServices') ? { restartServices: true } : {}),
    ...(slot === undefined ? {} : { slot }),
    ...(drift === undefined ? {} : { drift }),
    ...(reboot === undefined ? {} : { reboot }),
    ...(tries === undefined ? {} : { tries: readTries(tries) }),
    ...(rate === undefined ? {} : { rate: readRate(rate) }),
  };
}

/** `now`, `reboot`, `02:30` (the next time that the clock shows it), or a date with a time. Throws `input-invalid`. */
export function readWhen(text: string | undefined, now: number): When {
  if (text === undefined || text === 'now') return { kind: 'now' };
  if (text === 'reboot') return { kind: 'reboot' };
  const clock = /^(\d{1,2}):(\d{2})$/.exec(text);
  if (clock && Number(clock[1]) < 24 && Number(clock[2]) < 60) {
    const date = new Date(now);
    date.setHours(Number(clock[1]), Number(clock[2]), 0, 0);
    if (date.getTime() <= now) date.setDate(date.getDate() + 1);
    return { kind: 'at', time: date.getTime() };
  }
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return { kind: 'at', time };
  const problem = `“${text}” is none of now, reboot, 02:30 or 2026-11-21T02:30`;
  throw new ImprintError('input-invalid', { field: '--when', problem });
}

/** The value of an option that knows few. Throws `input-invalid`. */
export function oneOf<Value extends string>(
  field: string,
  text: string | undefined,
  values: readonly Value[],
): Value | undefined {
  if (text === undefined) return undefined;
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw new ImprintError('input-invalid', { field, problem: `“${text}” is not one of ${values.join(', ')}` });
}

function readTries(text: string): number {
  if (/^[1-9]$/.test(text)) return Number(text);
  throw new ImprintError('input-invalid', { field: '--tries', problem: `“${text}” is not a number from 1 to 9` });
}

/** Bytes in a second. Throws `input-invalid`. */
export function readRate(text: string): number {
  const bytes = parseBytes(text);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw new ImprintError('input-invalid', { field: '--rate', problem: `“${text}” is not a size; write 10M or 500K` });
}
