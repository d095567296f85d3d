import type { z } from 'zod';
import type { imageRenew } from '../../contract/operations/trust.ts';
import type { Digest } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import { openWritableStore } from '../../store/open-store.ts';
import { digestOf } from '../capture/captured-source.ts';
import { findSigner } from '../capture-image.ts';
import type { Context } from '../context.ts';
import { listVersion } from '../list-versions.ts';
import { expiryOf } from './expiry.ts';

/**
 * Makes the next version of an image with the content of an earlier one, and nothing new in the store but its record: to let it expire later, to
 * raise the floor, or to bring back what was before.
 */
export async function renewVersion(
  context: Context,
  input: z.output<typeof imageRenew.input>,
  task: Task,
): Promise<z.input<typeof imageRenew.output>> {
  const now = context.clock.now();
  const expires = expiryOf(input.expires, now);
  // Looked at only: what is below the floor, or has expired, may come back under a new number.
  const old = await (await context.store()).resolve(input.reference, 'look');
  const signer = await findSigner(context, task);
  const store = await openWritableStore(context.storeLocation, signer === undefined ? {} : { signer });
  try {
    const { record } = old;
    const renewed = `${record.image}:${record.number}`;
    await using transaction = await store.begin(`renewal of ${renewed}`, task);
    const newest = (await store.versions(record.image)).at(-1) ?? old;
    const { source, excluded, scrubbed, warnings } = record;
    const version = await transaction.commit({
      image: record.image,
      digest: record.digest as Digest,
      manifestBytes: record.manifestBytes,
      parent: digestOf(newest),
      created: new Date(now).toISOString(),
      message: input.message ?? `as ${renewed}${record.message === undefined ? '' : `: ${record.message}`}`,
      ...(expires === undefined ? {} : { expires }),
      ...(input.floor === undefined ? {} : { floor: input.floor }),
      source,
      stats: { ...record.stats, newChunks: 0, newBytes: 0 },
      excluded,
      scrubbed,
      warnings,
      ...(input.tag === undefined ? {} : { tags: [input.tag] }),
    });
    return { ...listVersion(version), image: record.image, number: version.record.number, renewed };
  } finally {
    await store.close();
  }
}
