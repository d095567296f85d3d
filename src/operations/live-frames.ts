import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImagerFrames, liveFramesSchema } from '../contract/imager-protocol.ts';
import { ImprintError } from '../foundation/errors.ts';
import { ifThere } from '../store/directory-files.ts';
import { writeFilesDurably } from '../store/durable.ts';
import type { Context } from './context.ts';
import type { DataPaths } from './data-paths.ts';

/**
 * Keeps what a live start read first, from the boot of the imager that has the order: the next machine that starts the same version fetches it before it is asked
 * for. The newest start counts. Errors: `order-stale`, `disk-full`.
 */
export async function keepLiveFrames(context: Context, { order, session, frames }: ImagerFrames): Promise<void> {
  const { machines } = await context.database();
  const machine = (await machines.all()).find((each) => each.order?.id === order);
  if (machine?.order?.phase !== 'running' || machine.order.session !== session)
    throw new ImprintError('order-stale', { order });
  const { liveFrames } = context.paths;
  await mkdir(liveFrames, { recursive: true });
  const file = { path: fileOf(context.paths, machine.order.digest), content: Buffer.from(JSON.stringify(frames)) };
  await writeFilesDurably([file], liveFrames);
}

/** What is known of a version; empty: nothing is. Never rejects: it is a hint. */
export async function liveFramesOf(paths: DataPaths, digest: string): Promise<string[]> {
  try {
    const text = await ifThere(readFile(fileOf(paths, digest), 'utf8'));
    return text === undefined ? [] : liveFramesSchema.parse(JSON.parse(text));
  } catch {
    return [];
  }
}

function fileOf({ liveFrames }: DataPaths, digest: string): string {
  return join(liveFrames, `${digest.replace(/^sha256:/, '')}.json`);
}
