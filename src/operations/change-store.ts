import { openWritableStore } from '../store/open-store.ts';
import type { WritableStore } from '../store/transaction.ts';
import type { Context } from './context.ts';

/** Opens the context's store for one change; it signs with the server's key where there is one (`key`: makes one). */
export async function changeStore<Result>(
  context: Context,
  work: (store: WritableStore) => Promise<Result>,
  options: { key?: boolean } = {},
): Promise<Result> {
  const { readServerKey } = await import('../store/keys.ts');
  const key = options.key === true ? await context.key() : await readServerKey(context.paths.data);
  const store = await openWritableStore(context.storeLocation, key === undefined ? {} : { signer: key.signer });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
