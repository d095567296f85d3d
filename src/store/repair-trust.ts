import { ImprintError } from '../foundation/errors.ts';
import { FormatError } from '../image/format-error.ts';
import { type PublicKey, signersOf } from '../image/signature.ts';
import { missingSignatures, parseTrustDocument, type TrustDocument } from '../image/trust-document.ts';
import type { DirectoryStore } from './directory-store.ts';
import { writeFilesDurably } from './durable.ts';
import { trustPath, trustSignaturePath } from './layout.ts';
import type { ReadingStore } from './reading-store.ts';
import type { StoredTrust } from './store.ts';

/**
 * Takes a trust document over from another store: one that follows the document before it, or, for the first, one that a trusted key has
 * signed. Gives how, or undefined where no store has such. Documents are mended from the first on.
 */
export async function repairTrust(
  store: DirectoryStore,
  stores: readonly ReadingStore[],
  publicKeys: readonly PublicKey[],
  temporary: string,
  path: string,
): Promise<string | undefined> {
  const version = Number(/^trust\/(\d+)\.json/.exec(path)?.[1] ?? 0);
  if (version < 1) return undefined;
  const before = version === 1 ? undefined : await documentOf(store, version - 1);
  for (const other of stores) {
    const found = await other.trustDocument(version).catch(tolerated);
    if (found === undefined || !isGood(found, before, version === 1 ? publicKeys : undefined)) continue;
    await writeFilesDurably(
      [
        { path: store.path(trustSignaturePath(version)), content: found.signatures },
        { path: store.path(trustPath(version)), content: found.text },
      ],
      temporary,
    );
    return `taken from ${other.location}`;
  }
  return undefined;
}

function isGood(
  { text, signatures }: StoredTrust,
  before: TrustDocument | undefined,
  publicKeys: readonly PublicKey[] | undefined,
): boolean {
  const document = parseTrustDocument(text);
  if (missingSignatures(before ?? document, document, signatures).length > 0) return false;
  if (before !== undefined) return true;
  return publicKeys !== undefined && signersOf(signatures, Buffer.from(text, 'utf8'), publicKeys).length > 0;
}

async function documentOf(store: ReadingStore, version: number): Promise<TrustDocument | undefined> {
  const found = await store.trustDocument(version).catch(tolerated);
  return found === undefined ? undefined : parseTrustDocument(found.text);
}

function tolerated(error: unknown): undefined {
  if (error instanceof FormatError || (error instanceof ImprintError && [3, 5].includes(error.exitStatus))) return;
  throw error;
}
