import type { z } from 'zod';
import type { imageCheckout } from '../contract/operations/images.ts';
import type { Task } from '../foundation/task.ts';
import { restoreTree } from '../tree/restore-tree.ts';
import type { Context } from './context.ts';

/** Writes a version into a directory that is empty or new; where it fails, nothing is left there. */
export async function checkoutImage(
  context: Context,
  input: z.output<typeof imageCheckout.input>,
  task: Task,
): Promise<z.output<typeof imageCheckout.output>> {
  const store = await context.store();
  const version = await store.resolve(input.reference);
  const report = await restoreTree({ store, version, target: input.directory, task });
  const { image, number, digest } = version.record;
  return {
    reference: `${image}:${number}`,
    digest,
    directory: input.directory,
    entries: report.entries,
    bytes: report.bytes,
  };
}
