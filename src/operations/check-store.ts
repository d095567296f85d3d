import type { StoreDefect } from '../contract/operations/store.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { PublicKey } from '../image/signature.ts';
import { checkStore } from '../store/check-store.ts';
import type { Store } from '../store/store.ts';
import { followTrust } from '../store/trust-chain.ts';
import type { Context } from './context.ts';
import { findTrust } from './trust/find-guard.ts';

/** What a check found. */
export interface StoreCheck {
  store: string;
  versions: number;
  defects: StoreDefect[];
  /** What a repair has put right, and how. */
  repaired?: { path: string; how: string }[];
}

/**
 * Checks every byte of the store; signatures against the keys that are or were trusted here.
 * Defects are its result and no error: `storeDamaged` makes one of them.
 */
export async function checkWholeStore(context: Context, task: Task): Promise<StoreCheck> {
  const store = await context.store();
  const publicKeys = await everyReleaseKey(context, store);
  const defects: StoreDefect[] = [];
  for await (const defect of checkStore(store, task, { publicKeys })) defects.push(defect);
  // Damaged records are defects that were told already.
  const versions = await store.versions().catch(() => []);
  return { store: store.location, versions: versions.length, defects };
}

/** Keys that may have signed a version of the store at some time: one that was replaced since has damaged nothing. */
export async function everyReleaseKey(context: Context, store: Store): Promise<PublicKey[]> {
  const trust = context.trust === 'none' ? undefined : await findTrust(context);
  if (trust === undefined) return [];
  // A chain that is damaged is a defect of its own.
  const chain = await followTrust(trust.start, store).catch(() => [trust.start]);
  const remembered = await trust.memory.document().catch(() => undefined);
  return [...chain, ...(remembered === undefined ? [] : [remembered])].flatMap(({ root, release }) => [
    ...root.keys,
    ...release.keys,
  ]);
}

/** The error that a check with defects ends with; undefined where all is well. */
export function storeDamaged({ store, defects }: StoreCheck): ImprintError | undefined {
  return defects.length === 0 ? undefined : new ImprintError('store-damaged', { store, count: defects.length });
}
