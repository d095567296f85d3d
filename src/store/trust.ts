import type { VersionRecord } from '../contract/image.ts';
import { ImprintError } from '../foundation/errors.ts';
import { FormatError } from '../image/format-error.ts';
import { type PublicKey, parseSignatures, type Signer, signersOf } from '../image/signature.ts';
import type { StoredVersion } from './store.ts';

/** The text of the signature file of a version record. Its trusted comment repeats which version it is, for people. */
export function signVersion(signer: Signer, record: VersionRecord, recordText: string): string {
  return signer.sign(Buffer.from(recordText, 'utf8'), `imprint ${record.image}:${record.number} ${record.digest}`);
}

/**
 * The first of those of the keys that signed a version (the record, and through its digest the manifest and every chunk), once it is
 * certain that `threshold` different ones did. Throws `signature-missing`, `signature-wrong`, `signatures-few`.
 */
export function verifyVersion(
  version: Pick<StoredVersion, 'record' | 'recordText' | 'signature'>,
  publicKeys: readonly PublicKey[],
  threshold = 1,
): PublicKey {
  const reference = `${version.record.image}:${version.record.number}`;
  if (version.signature === undefined) throw new ImprintError('signature-missing', { reference });
  const known = publicKeys.map(({ id }) => id).join(', ') || 'none';
  try {
    const signers = signersOf(version.signature, Buffer.from(version.recordText, 'utf8'), publicKeys);
    const [first] = signers;
    if (first !== undefined && signers.length >= threshold) return first;
    if (first !== undefined) throw new ImprintError('signatures-few', { reference, count: signers.length, threshold });
    throw new ImprintError('signature-wrong', {
      what: reference,
      key: `signed by ${signerIds(version).join(', ')}, trusted: ${known}`,
    });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const details = { what: reference, key: `its signature cannot be read, trusted: ${known}` };
    throw new ImprintError('signature-wrong', details, { cause: error });
  }
}

/** Ids of the keys that a version says it is signed by, unverified: for listings. */
export function signerIds({ signature }: Pick<StoredVersion, 'signature'>): string[] {
  try {
    return signature === undefined ? [] : parseSignatures(signature).map(({ keyId }) => keyId);
  } catch {
    return ['unreadable'];
  }
}
