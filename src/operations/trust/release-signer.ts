import { ImprintError } from '../../foundation/errors.ts';
import { joinSigners, type PublicKey, type Signer } from '../../image/signature.ts';
import type { TrustDocument } from '../../image/trust-document.ts';
import { readSigners } from '../../store/keys.ts';
import { followTrust } from '../../store/trust-chain.ts';
import type { Context } from '../context.ts';
import { requireTrust } from './find-guard.ts';

/** Who signs versions in this place: all keys of the data directory that are release keys now. */
export interface ReleaseSigner {
  document: TrustDocument;
  /** Undefined where none of the keys here is a release key. */
  signer: Signer | undefined;
}

/** Makes the server's key where there is none at all. Errors: `trust-wrong`, `read-only`, `io-failed`. */
export async function findReleaseSigner(context: Context): Promise<ReleaseSigner> {
  const document = await newestTrust(context);
  const ours = (await readSigners(context.paths.data)).filter((signer) => isIn(signer, document.release.keys));
  const [first, ...others] = ours;
  return { document, signer: first === undefined ? undefined : joinSigners([first, ...others]) };
}

/** The newest trust document from all that is known here, whether it has expired or not: for those who make and sign. */
export async function newestTrust(context: Context): Promise<TrustDocument> {
  const trust = await requireTrust(context);
  const remembered = await trust.memory.document();
  const from = remembered !== undefined && remembered.version > trust.start.version ? remembered : trust.start;
  const store = await context.store().catch((error: unknown) => {
    // What is to be made now has no documents yet.
    if (error instanceof ImprintError && (error.code === 'store-not-found' || error.code === 'target-not-empty'))
      return undefined;
    throw error;
  });
  if (store === undefined) return from;
  const [document] = await followTrust(from, store);
  return document;
}

export function isIn({ publicKey }: Signer, keys: readonly PublicKey[]): boolean {
  return keys.some(({ key }) => key.equals(publicKey.key));
}
