import { parseDuration } from '../foundation/duration.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Invocation } from './command.ts';

/** An option that is a span of time, in milliseconds; undefined where it was not given. Throws `input-invalid`. */
export function durationOption(invocation: Invocation, name: string): number | undefined {
  const text = invocation.text(name);
  if (text === undefined) return undefined;
  const span = parseDuration(text);
  if (span !== undefined) return span;
  throw new ImprintError('input-invalid', {
    field: optionFlag(name),
    problem: `“${text}” is no span like 90s, 30m, 12h, 7d, 8w`,
  });
}

/** `keepWithin` → `--keep-within`: as it is typed. */
function optionFlag(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
