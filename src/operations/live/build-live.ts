import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { imageLive } from '../../contract/operations/live.ts';
import { type Digest, rawPath } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { rootSpace } from '../../planning/install-space.ts';
import { lockStore } from '../../store/lock.ts';
import { makeDirectories } from '../../store/make-directories.ts';
import { openWritableStore, requireWritable } from '../../store/open-store.ts';
import type { Store, StoredVersion } from '../../store/store.ts';
import { captureDirectory } from '../../tree/capture-directory.ts';
import { findSigner } from '../capture-image.ts';
import type { Context } from '../context.ts';
import { type BuiltVersion, isBuilt, liveImage, liveVersionsOf } from './built-versions.ts';
import { makeLiveFile } from './make-live-file.ts';

type Input = z.output<typeof imageLive.input>;
type Output = z.output<typeof imageLive.output>;

/**
 * Makes an xfs or btrfs with a version in it, where the store is, and keeps it there as a version of an image of its own (`web.live-xfs`), signed
 * like every version and bound to the one that is in it. What is there already in this size is not made again.
 *
 * Errors: those of `imageLive`, and those of the store.
 */
export async function buildLive(context: Context, input: Input, task: Task): Promise<Output> {
  requireWritable(context.storeLocation);
  const store = await context.store();
  const source = await store.resolve(input.reference, 'look');
  const name = liveImage(source.record.image, input.fileSystem);
  checkSource(source, input);
  const size = input.size ?? rootSpace(source.record.stats);
  const known = await findBuilt(store, source, input.fileSystem, size);
  if (known !== undefined) return outputOf(source, known, false);
  if (process.geteuid?.() !== 0) throw new ImprintError('not-root', { action: 'Making a file system of a version' });
  const signer = await findSigner(context, task);
  const directory = context.paths.live;
  await makeDirectories(directory, 0o700);
  await using _lock = await lockStore(join(directory, 'lock'), directory, `image live of ${input.reference}`);
  await using _lease = await store.lease(source.record.digest as Digest);
  const uuid = randomUUID();
  const work = join(directory, 'work');
  try {
    const { processes, clock } = context;
    const file = { work, fileSystem: input.fileSystem, uuid, size };
    const { content, warnings } = await makeLiveFile({ store, source, file, processes, clock }, task);
    const writable = await openWritableStore(context.storeLocation, signer === undefined ? {} : { signer });
    try {
      await using transaction = await writable.begin(`image live of ${input.reference}`, task);
      const tree = await task.part('store it', (part) =>
        captureDirectory({ directory: rawPath(content), transaction, task: part, once: true }),
      );
      const { image, number, digest } = source.record;
      // Removed meanwhile, it would never be asked for again.
      await writable.find(`${image}@${digest}`);
      const built = await transaction.commit({
        ...{ image: name, digest: tree.manifest.digest, manifestBytes: tree.manifest.bytes },
        created: new Date(context.clock.now()).toISOString(),
        message: `${image}:${number} as ${input.fileSystem}, for live systems`,
        source: factsOf(source),
        ...{ stats: tree.stats, excluded: [], scrubbed: [], warnings },
        live: { image, number, digest, fileSystem: input.fileSystem, uuid, size },
      });
      return outputOf(source, built as BuiltVersion, true);
    } finally {
      await writable.close();
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What machines are matched by; the rest is told by the version itself. */
function factsOf({ record }: StoredVersion): StoredVersion['record']['source'] {
  const { architecture, system } = record.source;
  return {
    location: `${record.image}:${record.number}`,
    ...(architecture === undefined ? {} : { architecture }),
    ...(system === undefined ? {} : { system }),
    ...{ bootMode: 'unknown', disks: [], fileSystems: [] },
  };
}

function checkSource(source: StoredVersion, { reference, size }: Input): void {
  if (isBuilt(source))
    throw new ImprintError('usage', {
      problem: `${reference} is a file system already, made of ${source.record.live.image}:${source.record.live.number}.`,
      hint: 'Name the version that is in it.',
    });
  const least = rootSpace(source.record.stats);
  if (size === undefined || size >= least) return;
  throw new ImprintError('input-invalid', {
    field: '--size',
    problem: `${formatBytes(size)} are too few: ${reference} needs ${formatBytes(least)}`,
  });
}

/** One that is there, of the size that is asked for, and trusted here; what is not is made anew. */
async function findBuilt(
  store: Store,
  { record }: StoredVersion,
  fileSystem: Input['fileSystem'],
  size: number,
): Promise<BuiltVersion | undefined> {
  const newest = (await liveVersionsOf(store, record, fileSystem)).findLast(
    ({ record: { live } }) => live.size === size,
  );
  if (newest === undefined) return undefined;
  const trusted = await store.resolve(`${newest.record.image}:${newest.record.number}`, 'look').catch(() => undefined);
  return trusted === undefined ? undefined : newest;
}

function outputOf({ record }: StoredVersion, built: BuiltVersion, made: boolean): Output {
  const { image, number, live, stats } = built.record;
  return {
    reference: `${record.image}:${record.number}`,
    built: `${image}:${number}`,
    fileSystem: live.fileSystem,
    uuid: live.uuid,
    size: live.size,
    contentBytes: stats.contentBytes,
    newBytes: made ? stats.newBytes : 0,
    signed: built.signature !== undefined,
    made,
  };
}
