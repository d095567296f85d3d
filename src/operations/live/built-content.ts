import type { Digest } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { PlacedContent } from '../../image/content-map.ts';
import type { Entry } from '../../image/entry.ts';
import type { Store } from '../../store/store.ts';
import type { BuiltVersion } from './built-versions.ts';

/** The one file of a version that is a file system: `root.xfs`. */
export function builtFileName(fileSystem: string): string {
  return `root.${fileSystem}`;
}

/** Where the content of a file system lies on it. Errors: `corrupt-record` where the manifest is of something else, those of `Store.entries`. */
export async function readBuiltContent(store: Store, { record }: BuiltVersion): Promise<PlacedContent[]> {
  const { live, digest, image, number } = record;
  const files: Entry[] = [];
  for await (const batch of store.entries(digest as Digest))
    for (const entry of batch) if (entry.path !== '') files.push(entry);
  const [file] = files;
  if (files.length === 1 && file?.path === builtFileName(live.fileSystem) && file.size === live.size)
    return placedContent(file);
  const problem = `what it names is no ${live.fileSystem} of ${live.size} bytes`;
  throw new ImprintError('corrupt-record', { record: `${image}:${number}`, store: store.location, problem });
}

/** A file's chunks where they lie in it. One chunk may be on both sides of a hole. */
export function placedContent({ size = 0, chunks = [], segments }: Entry): PlacedContent[] {
  const pieces: PlacedContent[] = [];
  const data = (segments ?? [{ offset: 0, length: size }]).values();
  let at = { offset: 0, length: 0 };
  for (const chunk of chunks) {
    for (let skip = 0; skip < chunk.length; ) {
      while (at.length === 0) {
        const next = data.next();
        if (next.done) throw new RangeError('there is more content than room for it');
        at = { ...next.value };
      }
      const length = Math.min(chunk.length - skip, at.length);
      pieces.push({ chunk, skip, length, position: at.offset });
      at = { offset: at.offset + length, length: at.length - length };
      skip += length;
    }
  }
  return pieces;
}
