import { resolve } from 'node:path';
import type { z } from 'zod';
import type { trustKey } from '../../contract/operations/trust.ts';
import { createKeyFiles } from '../../store/keys.ts';

/** Makes a key to sign with: `PATH.key`, which only its owner may read, and `PATH.pub`. What may sign with it a trust document says. */
export async function createKey({ path }: z.output<typeof trustKey.input>): Promise<z.input<typeof trustKey.output>> {
  const base = resolve(path.replace(/\.(key|pub)$/, ''));
  const signer = await createKeyFiles(base);
  return { id: signer.publicKey.id, key: `${base}.key`, publicKey: `${base}.pub` };
}
