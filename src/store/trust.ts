import type { VersionRecord } from '../contract/image.ts';
import { ImprintError } from '../foundation/errors.ts';
import { FormatError } from '../image/format-error.ts';
import { type PublicKey, parseSignature, type Signer, verifySignature } from '../image/signature.ts';
import type { StoredVersion } from './store.ts';

/** The text of the signature file of a version record. Its trusted comment repeats which version it is, for people. */
export function signVersion(signer: Signer, record: VersionRecord, recordText: string): string {
  return signer.sign(Buffer.from(recordText, 'utf8'), `imprint ${record.image}:${record.number} ${record.digest}`);
}

/**
 * The key of those given that signed a version: the record, and through its digest the manifest and every chunk. Throws
 * `signature-missing`, `signature-wrong`.
 */
export function verifyVersion(
  version: Pick<StoredVersion, 'record' | 'recordText' | 'signature'>,
  publicKeys: readonly PublicKey[],
): PublicKey {
  const reference = `${version.record.image}:${version.record.number}`;
  if (version.signature === undefined) throw new ImprintError('signature-missing', { reference });
  const known = publicKeys.map(({ id }) => id).join(', ') || 'none';
  try {
    const signature = parseSignature(version.signature);
    const key = verifySignature(signature, Buffer.from(version.recordText, 'utf8'), publicKeys);
    if (key !== undefined) return key;
    throw new ImprintError('signature-wrong', {
      what: reference,
      key: `signed by ${signature.keyId}, trusted: ${known}`,
    });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const details = { what: reference, key: `its signature cannot be read, trusted: ${known}` };
    throw new ImprintError('signature-wrong', details, { cause: error });
  }
}

/** Id of the key that a version says it is signed by, unverified: for listings. */
export function signerOf({ signature }: Pick<StoredVersion, 'signature'>): string | undefined {
  try {
    return signature === undefined ? undefined : parseSignature(signature).keyId;
  } catch {
    return undefined;
  }
}
