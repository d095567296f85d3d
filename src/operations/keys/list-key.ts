import type { KeyListInput, KeyListOutput } from '../../contract/operations/keys.ts';
import type { Task } from '../../foundation/task.ts';
import { FormatError } from '../../image/format-error.ts';
import type { ReadAt } from '../../image/iso9660.ts';
import type { Context } from '../context.ts';
import { hashOnKey } from './add-isos.ts';
import { readKeyIndex } from './key-index.ts';
import { authoritiesOfKey, type IsoLook, lookAtIso } from './look-at-iso.ts';
import { openKey, unusedOf } from './open-key.ts';

/** `imprint key list`: what is on a key; with `verify` every file is read; with `asItIs` the key is not written. Errors: those of `keyList`, `io-failed`. */
export async function listKey(
  context: Pick<Context, 'processes'>,
  { key: path, verify }: KeyListInput,
  task: Task,
  options: { asItIs?: boolean } = {},
): Promise<KeyListOutput> {
  const key = await openKey(context, path, task, options);
  const isos: KeyListOutput['isos'] = (await readKeyIndex(key.partition)).sort((left, right) =>
    left.name < right.name ? -1 : 1,
  );
  // What people copied there themselves is looked at now.
  const strange = isos.filter(({ firmware }) => firmware === undefined);
  const authorities = strange.length === 0 ? [] : await authoritiesOfKey(context.processes, path, task.signal);
  for (const iso of strange) {
    using file = await key.partition.open(iso.name);
    Object.assign(iso, lookAtStranger(file.read, authorities));
  }
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

function lookAtStranger(read: ReadAt, authorities: readonly string[]): Partial<IsoLook> {
  try {
    return lookAtIso(read, authorities);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { firmware: [], refusal: 'It is no ISO file, or not a whole one.' };
  }
}
