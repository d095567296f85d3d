import type { z } from 'zod';
import type { storeCollect } from '../contract/operations/store.ts';
import type { Task } from '../foundation/task.ts';
import { changeStore } from './change-store.ts';
import type { Context } from './context.ts';

/** Frees what no version and no reader needs any longer; with `dryRun` says what that would be. */
export async function collectStore(
  context: Context,
  { grace, dryRun }: z.output<typeof storeCollect.input>,
  task: Task,
): Promise<z.output<typeof storeCollect.output>> {
  return changeStore(context, async (store) => {
    const { waitingUntil, ...report } = await store.collect({ grace, dryRun }, task);
    return {
      store: store.location,
      ...report,
      ...(waitingUntil === undefined ? {} : { waitingUntil: new Date(waitingUntil).toISOString() }),
    };
  });
}
