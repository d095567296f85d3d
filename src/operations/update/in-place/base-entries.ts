import { readFile } from 'node:fs/promises';
import type { Entry } from '../../../image/entry.ts';
import { VerifiedManifest } from '../../../store/manifest-reader.ts';
import type { LocalBase } from '../update-content.ts';

/** The entries of the version that a root was made from. Throws `corrupt-manifest`, `io-failed`. */
export async function* entriesOfBase(base: Pick<LocalBase, 'digest' | 'manifestFile'>): AsyncGenerator<Entry[]> {
  yield* new VerifiedManifest(await readFile(base.manifestFile), base.digest, base.manifestFile).entries();
}
