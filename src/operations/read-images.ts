import type { z } from 'zod';
import type { imageList } from '../contract/operations/server.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Context } from './context.ts';
import { isBuilt } from './live/built-versions.ts';

type Output = z.input<typeof imageList.output>;

/** Images for the status page. A store that was not made yet has none. */
export async function readImages(context: Context): Promise<Output> {
  const machines = await (await context.database()).machines.all();
  const versions = (await storedVersions(context)).filter((version) => !isBuilt(version));
  const images = Map.groupBy(versions, ({ record }) => record.image);
  const onDisk = Map.groupBy(machines, ({ installed }) => installed?.image ?? '');
  return {
    images: [...images].map(([name, ofImage]) => ({
      name,
      versions: ofImage
        .toSorted((left, right) => right.record.number - left.record.number)
        .map(({ record, tags, signature }) => ({
          number: record.number,
          digest: record.digest,
          created: record.created,
          ...(record.message !== undefined && { message: record.message }),
          tags,
          ...(record.source.system && { system: record.source.system.name }),
          entries: record.stats.entries,
          contentBytes: record.stats.contentBytes,
          newBytes: record.stats.newBytes,
          signed: signature !== undefined,
          machines: (onDisk.get(`${name}:${record.number}`) ?? []).map((machine) => machine.name),
        })),
    })),
  };
}

async function storedVersions(context: Context) {
  try {
    return await (await context.store()).versions();
  } catch (thrown) {
    if (thrown instanceof ImprintError && thrown.code === 'store-not-found') return [];
    throw thrown;
  }
}
