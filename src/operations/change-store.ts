import { openWritableStore } from '../store/open-store.ts';
import type { WritableStore } from '../store/transaction.ts';
import type { Context } from './context.ts';

/** Opens the context's store for one change that signs nothing by itself. */
export async function changeStore<Result>(
  context: Context,
  work: (store: WritableStore) => Promise<Result>,
): Promise<Result> {
  const store = await openWritableStore(context.storeLocation);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
