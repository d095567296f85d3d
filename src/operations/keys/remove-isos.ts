import type { KeyRemoveInput, KeyRemoveOutput } from '../../contract/operations/keys.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { Context } from '../context.ts';
import { besideEndings } from './add-isos.ts';
import { readKeyIndex, writeKeyIndex } from './key-index.ts';
import { openKey } from './open-key.ts';

/** `imprint key remove`: takes ISO files off a key; all that are named must be there. Errors: those of `keyRemove`, `io-failed`. */
export async function removeIsos(context: Context, input: KeyRemoveInput, task: Task): Promise<KeyRemoveOutput> {
  const { partition } = await openKey(context, input.key, task);
  const there = await readKeyIndex(partition);
  const names = new Set(input.isos.map((name) => name.replace(/^.*\//, '')));
  for (const name of names) {
    if (there.some((iso) => iso.name === name)) continue;
    const known = there.map((iso) => iso.name).join(', ');
    throw new ImprintError('iso-not-found', { iso: name, key: input.key, known: known === '' ? 'none' : known });
  }
  for (const name of names) for (const ending of ['', ...besideEndings]) await partition.remove(`${name}${ending}`);
  await writeKeyIndex(
    partition,
    there.filter(({ name }) => !names.has(name)),
  );
  return { key: input.key, removed: [...names], free: await partition.free() };
}
