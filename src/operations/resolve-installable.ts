import type { Digest } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Context } from './context.ts';
import { strictGuard } from './trust/find-guard.ts';

/** A version that an imager of this server will accept. */
export interface InstallableVersion {
  /** `web:3`. */
  image: string;
  digest: Digest;
  record: string;
  recordSignature: string;
}

/**
 * The version that a reference names now, refused where it is not one that machines may have: the imager would refuse it, too, but
 * only once the machine has booted. Errors: `image-not-found`, and those of `VersionGuard.check`.
 */
export async function resolveInstallable(context: Context, reference: string): Promise<InstallableVersion> {
  const store = await context.store();
  const version = await store.find(reference);
  const { record, recordText, signature } = version;
  const image = `${record.image}:${record.number}`;
  if (signature === undefined) throw new ImprintError('signature-missing', { reference: image });
  await (await strictGuard(context)).check(version, 'use', store);
  return { image, digest: record.digest as Digest, record: recordText, recordSignature: signature };
}
