import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { z } from 'zod';
import type { imageVerify, ListedDifference } from '../contract/operations/images.ts';
import { type Digest, displayPath, rawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { compareTree } from '../tree/compare-tree.ts';
import type { Context } from './context.ts';
import { rawOf } from './list-entries.ts';
import { verifyContent } from './verify-content.ts';

type Input = z.output<typeof imageVerify.input>;
type Output = z.output<typeof imageVerify.output>;

/**
 * Without a directory: checks the version's signatures, as far as anybody's key is known here, and all of its content.
 * With one: compares the tree, attribute by attribute; `found` hears of each difference at once. Differences are its result
 * and no error: `treeDiffers` makes one of them.
 */
export async function verifyImage(
  context: Context,
  input: Input,
  task: Task,
  found: (difference: ListedDifference) => void,
): Promise<Output> {
  const store = await context.store();
  const version = await store.resolve(input.reference, 'look');
  const { image, number, stats } = version.record;
  const digest = version.record.digest as Digest;
  const about = { reference: `${image}:${number}`, digest: version.record.digest };
  if (input.directory === undefined) {
    return { ...about, ...(await verifyContent(store, digest, task)), differences: 0 };
  }
  const directory = resolve(input.directory);
  await requireDirectory(directory);
  let differences = 0;
  task.expect(stats.contentBytes, 'bytes');
  for await (const difference of compareTree({ store, digest, directory: rawPath(directory), task })) {
    differences += 1;
    const { path, attribute, expected, actual } = difference;
    found({ path: path === '' ? '.' : displayPath(path), ...rawOf(path), attribute, expected, actual });
  }
  return { ...about, entries: stats.entries, bytes: stats.contentBytes, differences };
}

/** The error that a comparison with differences ends with; undefined where there is none. */
export function treeDiffers(output: Output, directory: string): ImprintError | undefined {
  const { reference, differences } = output;
  return differences === 0 ? undefined : new ImprintError('tree-differs', { directory, reference, count: differences });
}

async function requireDirectory(directory: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) throw new ImprintError('directory-not-found', { directory });
}
