import { FormatError } from '../image/format-error.ts';
import { parseSignatures } from '../image/signature.ts';
import { parseTrustDocument, trustTextLimit } from '../image/trust-document.ts';
import { trustPath, trustSignaturePath } from './layout.ts';
import type { StoredTrust } from './store.ts';
import type { StoreFiles } from './store-files.ts';
import { guarded } from './version-files.ts';

/** A trust document from its two files, its form checked and nothing else. Throws `corrupt-record`. */
export async function readTrust(files: StoreFiles, version: number): Promise<StoredTrust | undefined> {
  const path = trustPath(version);
  return guarded(files, path, async () => {
    const bytes = await files.read(path, trustTextLimit);
    if (bytes === undefined) return undefined;
    const text = bytes.toString('utf8');
    if (parseTrustDocument(text).version !== version) throw new FormatError('it is of another version than its name');
    const signatures = (await files.read(trustSignaturePath(version), trustTextLimit))?.toString('utf8');
    if (signatures === undefined) throw new FormatError('its signatures are missing');
    parseSignatures(signatures);
    return { text, signatures };
  });
}
