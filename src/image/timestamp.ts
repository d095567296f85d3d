import type { Timestamp } from './entry.ts';

/**
 * A moment from a decimal number of seconds, as pax headers carry it: `-0.5` is half a second before 1970. Digits past
 * the ninth are dropped. Undefined where the text is no such number.
 */
export function parseDecimalSeconds(text: string): Timestamp | undefined {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (match?.[2] === undefined) return undefined;
  const seconds = Number(match[2]);
  const nanoseconds = fraction(match[3]);
  if (match[1] !== '-') return { seconds, nanoseconds };
  if (nanoseconds === 0) return { seconds: seconds === 0 ? 0 : -seconds, nanoseconds: 0 };
  return { seconds: -seconds - 1, nanoseconds: 1e9 - nanoseconds };
}

/**
 * A moment as GNU find's `%T@` prints it: the kernel's two fields with a dot between, so that half a second before 1970
 * is `-1.5000000000`. Undefined where the text is no such pair.
 */
export function parseKernelSeconds(text: string): Timestamp | undefined {
  const match = /^(-?\d+)(?:\.(\d*))?$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  const seconds = Number(match[1]);
  return { seconds: seconds === 0 ? 0 : seconds, nanoseconds: fraction(match[2]) };
}

/** True where both are the same moment. */
export function sameMoment(left: Timestamp, right: Timestamp): boolean {
  return left.seconds === right.seconds && left.nanoseconds === right.nanoseconds;
}

function fraction(digits = ''): number {
  return Number(digits.slice(0, 9).padEnd(9, '0'));
}
