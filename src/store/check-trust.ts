import { ImprintError } from '../foundation/errors.ts';
import { FormatError } from '../image/format-error.ts';
import { type PublicKey, parseSignature, signatureTexts, verifySignature } from '../image/signature.ts';
import { missingSignatures, parseTrustDocument, type TrustDocument } from '../image/trust-document.ts';
import { type Defect, defectOf } from './defect.ts';
import { DirectoryStore } from './directory-store.ts';
import { trustPath, trustSignaturePath } from './layout.ts';
import type { ReadingStore } from './reading-store.ts';

/**
 * Checks the trust documents of a store: each against the one before and by every signature that it carries. `publicKeys` are those that may
 * have signed the first.
 */
export async function* checkTrust(store: ReadingStore, publicKeys: readonly PublicKey[]): AsyncGenerator<Defect> {
  const last = await lastVersion(store);
  let before: TrustDocument | undefined;
  for (let version = 1; version <= last; version += 1) {
    const path = trustPath(version);
    try {
      const found = await store.trustDocument(version);
      if (found === undefined) throw new FormatError('it is missing');
      const document: TrustDocument = parseTrustDocument(found.text);
      // What a key signed that is not known here can only be held against its form.
      const foreign = version === 1 && publicKeys.length === 0;
      const keys: PublicKey[] = [...document.root.keys, ...(before?.root.keys ?? (version === 1 ? publicKeys : []))];
      const problem = badSignature(
        found.signatures,
        found.text,
        keys,
        foreign || (version > 1 && before === undefined),
      );
      if (problem !== undefined) yield defect(trustSignaturePath(version), problem);
      else if (before !== undefined || version === 1) {
        const [lacking] = missingSignatures(before ?? document, document, found.signatures);
        if (lacking !== undefined) yield defect(path, lacking);
      }
      before = document;
    } catch (error) {
      before = undefined;
      if (error instanceof FormatError) yield defect(path, error.message);
      else if (error instanceof ImprintError) yield defectOf(error, 'trust', path, []);
      else throw error;
    }
  }
}

/** What is wrong with a file of signatures: every byte of ours is either signed or as we always write it. */
function badSignature(text: string, data: string, keys: readonly PublicKey[], othersToo: boolean): string | undefined {
  const texts = signatureTexts(text);
  if (texts.join('') !== text) return 'it is not as it is written';
  for (const each of texts) {
    const signature = parseSignature(each);
    const key = verifySignature(signature, Buffer.from(data, 'utf8'), keys);
    if (key === undefined && !(othersToo && !keys.some(({ id }) => id === signature.keyId)))
      return `the signature of ${signature.keyId} is not good`;
    if (signature.untrustedComment !== `signature of Imprint, key ${signature.keyId}`)
      return `the comment on the signature of ${signature.keyId} is not as it is written`;
  }
  return undefined;
}

async function lastVersion(store: ReadingStore): Promise<number> {
  if (store instanceof DirectoryStore) {
    // Signatures without a document are what a cut leaves of publishing.
    const names = await store.directoryFiles.names('trust');
    return Math.max(0, ...names.map((name) => Number(/^([1-9]\d{0,5})\.json$/.exec(name)?.[1] ?? 0)));
  }
  for (let version = 0; ; version += 1)
    if ((await store.trustDocument(version + 1).catch(() => undefined)) === undefined) return version;
}

function defect(path: string, problem: string): Defect {
  return { kind: 'trust', path, code: 'trust-wrong', problem, affects: [] };
}
