import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { parseSignature, verifySignature } from '../image/signature.ts';
import type { StoredVersion } from '../store/store.ts';
import type { Context } from './context.ts';

/** A version that an imager of this server will accept. */
export interface InstallableVersion {
  /** `web:3`. */
  image: string;
  digest: Digest;
  record: string;
  recordSignature: string;
}

/**
 * The version that a reference names now, refused where our key did not sign it: the imager would refuse it, too, but only
 * once the machine has booted. Errors: `image-not-found`, `signature-missing`, `signature-wrong`.
 */
export async function resolveInstallable(context: Context, reference: string): Promise<InstallableVersion> {
  const version = await (await context.store()).resolve(reference);
  const image = `${version.record.image}:${version.record.number}`;
  const recordSignature = await checkedSignature(context, version, image);
  return { image, digest: version.record.digest as Digest, record: version.recordText, recordSignature };
}

async function checkedSignature(context: Context, version: StoredVersion, image: string): Promise<string> {
  const { signature } = version;
  if (signature === undefined) throw new ImprintError('signature-missing', { reference: image });
  const { publicKey } = (await context.key()).signer;
  let key = 'unknown';
  try {
    const parsed = parseSignature(signature);
    key = parsed.keyId;
    if (verifySignature(parsed, Buffer.from(version.recordText, 'utf8'), [publicKey])) return signature;
  } catch (cause) {
    throw new ImprintError('signature-wrong', { what: image, key: 'its form is damaged' }, { cause });
  }
  throw new ImprintError('signature-wrong', { what: image, key });
}
