import { stat } from 'node:fs/promises';
import type { z } from 'zod';
import type { imageBundle } from '../../contract/operations/bundles.ts';
import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { DirectoryStore } from '../../store/directory-store.ts';
import { bundlePath } from '../../store/layout.ts';
import { requireWritable } from '../../store/open-store.ts';
import { makeBundle } from '../../tree/make-bundle.ts';
import type { Context } from '../context.ts';

/** Makes the bundle that leads from one version to another ahead of the first machine that asks for it; one that is there stays. */
export async function bundleImage(
  context: Context,
  { from, to }: z.output<typeof imageBundle.input>,
  task: Task,
): Promise<z.output<typeof imageBundle.output>> {
  requireWritable(context.storeLocation);
  const trusted = await context.store();
  const [before, after] = [await trusted.resolve(from, 'look'), await trusted.resolve(to, 'look')];
  const digests = [before.record.digest as Digest, after.record.digest as Digest] as const;
  if (digests[0] === digests[1])
    throw new ImprintError('usage', {
      problem: `${from} and ${to} are one and the same version: nothing leads from one to the other.`,
      hint: 'Name two versions: imprint image bundle web:3 web:4',
    });
  const nameOf = ({ record }: typeof before) => `${record.image}:${record.number}`;
  const names = { from: nameOf(before), to: nameOf(after) };
  const store = await DirectoryStore.open(context.storeLocation);
  try {
    const path = store.path(bundlePath(...digests));
    const known = await stat(path).catch(() => undefined);
    if (known !== undefined) return { ...names, path, bytes: known.size, made: false };
    const { bytes, chunks, contentBytes } = await makeBundle(store, ...digests, { task });
    return { ...names, path, bytes, made: true, chunks, contentBytes };
  } finally {
    await store.close();
  }
}
