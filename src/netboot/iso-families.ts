import { debianFamilies } from './iso-families-debian.ts';
import { dracutFamilies } from './iso-families-dracut.ts';
import { foreignFamilies } from './iso-families-foreign.ts';
import { otherFamilies } from './iso-families-other.ts';
import type { IsoFamily } from './iso-family.ts';

/** Every family, in the order in which they are looked for: what is more particular comes first. */
export const isoFamilies: readonly IsoFamily[] = [
  ...foreignFamilies,
  ...debianFamilies,
  ...dracutFamilies,
  ...otherFamilies,
];

/** What is said of an ISO that no family has. */
export const unknownIso =
  'It is of no family that is known here and carries no loopback.cfg: nobody knows how its system would find the file. Write it onto a stick of its own.';
