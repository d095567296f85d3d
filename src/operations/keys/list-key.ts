import type { KeyListInput, KeyListOutput } from '../../contract/operations/keys.ts';
import type { Task } from '../../foundation/task.ts';
import type { Context } from '../context.ts';
import { hashOnKey } from './add-isos.ts';
import { readKeyIndex } from './key-index.ts';
import { openKey, unusedOf } from './open-key.ts';

/** `imprint key list`: what is on a key; with `verify` every file is read. Errors: those of `keyList`, `io-failed`. */
export async function listKey(
  context: Context,
  { key: path, verify }: KeyListInput,
  task: Task,
): Promise<KeyListOutput> {
  const key = await openKey(context, path, task);
  const isos: KeyListOutput['isos'] = (await readKeyIndex(key.partition)).sort((left, right) =>
    left.name < right.name ? -1 : 1,
  );
  if (verify) {
    await task.part('read every file', async (part) => {
      part.expect(
        isos.reduce((sum, { size, sha256 }) => sum + (sha256 === undefined ? 0 : size), 0),
        'bytes',
      );
      for (const iso of isos) {
        if (iso.sha256 === undefined) continue;
        iso.intact = (await hashOnKey(key.partition, iso, (bytes) => part.advance(bytes))) === iso.sha256;
      }
    });
  }
  return { key: path, isos, free: await key.partition.free(), unused: unusedOf(key) };
}
