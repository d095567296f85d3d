import type { z } from 'zod';
import type { VersionListing } from '../../contract/image.ts';
import type { imageSign } from '../../contract/operations/images.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { joinSigners, type Signer, signatureTexts, signersOf } from '../../image/signature.ts';
import type { TrustDocument } from '../../image/trust-document.ts';
import { readSigner } from '../../store/keys.ts';
import type { StoredVersion } from '../../store/store.ts';
import type { WritableStore } from '../../store/transaction.ts';
import { signVersion as signatureOf } from '../../store/trust.ts';
import { changeStore } from '../change-store.ts';
import type { Context } from '../context.ts';
import { listVersion } from '../list-versions.ts';
import { findReleaseSigner, isIn } from './release-signer.ts';
import { readSignatureFile } from './sign-trust.ts';

/**
 * Adds signatures to a version: by the release keys of the data directory (the server's key is made where there is none), by those of the key
 * files given, or such as were made elsewhere. What others signed stays. Errors: `input-invalid` for a key that is no release
 * key, `signature-wrong` for a signature that is not one of the version by a release key.
 */
export async function signVersion(context: Context, input: z.output<typeof imageSign.input>): Promise<VersionListing> {
  const { document, signer } = await findReleaseSigner(context);
  const given = await Promise.all(input.keys.map(readSigner));
  for (const each of given) requireRelease(each, document);
  const files = await Promise.all(input.signatures.map(readSignatureFile));
  const here = given.length + files.length === 0 && signer !== undefined ? [signer] : given;
  if (here.length + files.length === 0) {
    throw new ImprintError('usage', {
      problem: `No key here is a release key of trust document ${document.version}.`,
      hint: 'Name one: --key FILE; or give a signature that was made elsewhere: --signature FILE.',
    });
  }
  return changeStore(context, async (store) => {
    const version = await store.find(input.reference);
    for (const text of files) requireGood(version, text, document);
    const [first, ...others] = here;
    const own =
      first === undefined ? [] : [signatureOf(joinSigners([first, ...others]), version.record, version.recordText)];
    return listVersion(await add(store, version, [...files, ...own].join('')));
  });
}

function add(store: WritableStore, { record }: StoredVersion, text: string): Promise<StoredVersion> {
  return store.addSignatures(`${record.image}:${record.number}`, text);
}

function requireRelease(signer: Signer, { release, version }: TrustDocument): void {
  if (isIn(signer, release.keys)) return;
  const { id } = signer.publicKey;
  const problem = `${id} is no release key of trust document ${version}`;
  throw new ImprintError('input-invalid', { field: 'key', problem });
}

function requireGood({ record, recordText }: StoredVersion, text: string, { release }: TrustDocument): void {
  for (const each of signatureTexts(text)) {
    if (signersOf(each, Buffer.from(recordText, 'utf8'), release.keys).length > 0) continue;
    const what = `${record.image}:${record.number}`;
    throw new ImprintError('signature-wrong', { what, key: 'the signature given is none of it by a release key' });
  }
}
