import type { VersionRecord } from '../contract/image.ts';
import { ImprintError } from '../foundation/errors.ts';
import { hasPassed } from './trust-document.ts';

/** A version record whose signatures are good. */
export type TrustedRecord = Pick<VersionRecord, 'image' | 'number' | 'expires' | 'floor'>;

/**
 * Refuses a version that was withdrawn or is stale, by what trusted records of its image say (`docs/trust.md`): `known` are the
 * newest that the store shows and the newest that was seen here before, where there are such.
 *
 * - The floor is the highest that any of them names: versions below it are `version-withdrawn`.
 * - The version is fresh while its own record or a newer one of these has not expired: `version-expired`.
 */
export function acceptVersion(version: TrustedRecord, known: readonly TrustedRecord[], now: number): void {
  const { image, number } = version;
  const all = [version, ...known.filter((record) => record.image === image)];
  const floor = Math.max(...all.map(floorOf));
  const reference = `${image}:${number}`;
  if (number < floor) throw new ImprintError('version-withdrawn', { reference, floor: `${image}:${floor}` });
  const vouching = all.filter((record) => record.number >= number);
  if (vouching.some(({ expires }) => !hasPassed(expires, now))) return;
  const last = vouching.map(({ expires }) => expires ?? '').toSorted((a, b) => Date.parse(a) - Date.parse(b));
  throw new ImprintError('version-expired', { reference, expired: last.at(-1) ?? '' });
}

/** The floor that a record names; a record cannot withdraw itself. */
export function floorOf({ number, floor }: TrustedRecord): number {
  return Math.min(floor ?? 1, number);
}
