import { hash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { type Digest, digestFromHex, digestHex } from '../foundation/brand.ts';
import { FormatError } from '../image/format-error.ts';
import { ifThere } from './directory-files.ts';
import type { DirectoryStore } from './directory-store.ts';
import { isHexHash, retiredMarkPath } from './layout.ts';

/** The mark of a pack that nobody needs any longer, and that goes after the grace period. */
export interface RetiredMark {
  /** Milliseconds since 1970: when it was made. */
  since: number;
  /** Versions that still exist and used it until then: none of them may be leased when it goes. */
  users: Digest[];
}

/** The mark as its file: the SHA-256 of the rest in hexadecimal, then the manifests' names, one a line. */
export function formatRetiredMark(users: readonly Digest[]): string {
  const body = users
    .map((user) => `${digestHex(user)}\n`)
    .toSorted()
    .join('');
  return `${hash('sha256', body, 'hex')}\n${body}`;
}

/** The users that `formatRetiredMark` was given. Throws a `FormatError`. */
export function parseRetiredMark(text: string): Digest[] {
  const [checksum, ...lines] = text.split('\n');
  const body = text.slice(65);
  if (lines.pop() !== '' || hash('sha256', body, 'hex') !== checksum || !lines.every(isHexHash))
    throw new FormatError('it does not match its checksum');
  return lines.map(digestFromHex);
}

/** A pack's mark; undefined where it has none, or none that can be believed. */
export async function readRetiredMark(store: DirectoryStore, pack: string): Promise<RetiredMark | undefined> {
  const path = retiredMarkPath(pack);
  const status = await ifThere(stat(store.path(path)));
  const bytes = await store.files.read(path, 1 << 24);
  if (status === undefined || bytes === undefined) return undefined;
  try {
    return { since: status.mtimeMs, users: parseRetiredMark(bytes.toString('latin1')) };
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
