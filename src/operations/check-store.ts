import type { StoreDefect } from '../contract/operations/store.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { parsePublicKey } from '../image/signature.ts';
import { checkStore } from '../store/check-store.ts';
import { readServerKey } from '../store/keys.ts';
import type { Context } from './context.ts';

/** What a check found. */
export interface StoreCheck {
  store: string;
  versions: number;
  defects: StoreDefect[];
}

/**
 * Checks every byte of the store; signatures against the server's key where there is one.
 * Defects are its result and no error: `storeDamaged` makes one of them.
 */
export async function checkWholeStore(context: Context, task: Task): Promise<StoreCheck> {
  const store = await context.store();
  const key = await readServerKey(context.paths.data);
  const publicKeys = key === undefined ? {} : { publicKeys: [parsePublicKey(key.publicKeyText)] };
  const defects: StoreDefect[] = [];
  for await (const defect of checkStore(store, task, publicKeys)) defects.push(defect);
  // Damaged records are defects that were told already.
  const versions = await store.versions().catch(() => []);
  return { store: store.location, versions: versions.length, defects };
}

/** The error that a check with defects ends with; undefined where all is well. */
export function storeDamaged({ store, defects }: StoreCheck): ImprintError | undefined {
  return defects.length === 0 ? undefined : new ImprintError('store-damaged', { store, count: defects.length });
}
