import type { z } from 'zod';
import type { imageEntries, ListedEntry } from '../contract/operations/images.ts';
import { type Digest, displayPath, type RawPath, rawPath } from '../foundation/brand.ts';
import type { Task } from '../foundation/task.ts';
import type { Entry } from '../image/entry.ts';
import type { Context } from './context.ts';
import { findEntry, rawArgument } from './find-entry.ts';

/**
 * What is in a version, in the order of its manifest: the entries of one directory, with `recursive` all below it, with
 * `directory` (or for anything that is no directory) the entry itself.
 */
export async function* listEntries(
  context: Context,
  input: z.output<typeof imageEntries.input>,
  task: Task,
): AsyncGenerator<ListedEntry[]> {
  const store = await context.store();
  const { record } = await store.resolve(input.reference, 'look');
  const digest = record.digest as Digest;
  const { signal } = task;
  // As `ls` has it: a slash at the end of a link's name means what it points at.
  const follow = input.path?.endsWith('/') ?? false;
  const top = await findEntry(store, digest, rawArgument(input.path ?? '/'), input.reference, {
    follow,
    signal,
  });
  if (input.directory || top.type !== 'directory') {
    yield [listEntry(top)];
    return;
  }
  // A hard link has its length at the first name, which comes before it.
  const lengths = new Map<string, number>();
  const prefix = top.path === '' ? '' : `${top.path}/`;
  for await (const batch of store.entries(digest)) {
    signal.throwIfAborted();
    const listed: ListedEntry[] = [];
    for (const entry of batch) {
      if (entry.type === 'file' && entry.size !== undefined) lengths.set(entry.path, entry.size);
      const inside = entry.path !== '' && entry.path.startsWith(prefix) && entry.path !== top.path;
      if (!inside || (!input.recursive && entry.path.includes('/', prefix.length))) continue;
      listed.push(listEntry(entry, lengths.get(entry.target ?? '')));
    }
    if (listed.length > 0) yield listed;
  }
}

/** An entry as it is listed; `linkedSize` is the length of the file that a hard link names. */
export function listEntry(entry: Entry, linkedSize?: number): ListedEntry {
  const size = entry.type === 'hardlink' ? linkedSize : entry.size;
  const data = entry.segments?.reduce((sum, segment) => sum + segment.length, 0);
  return {
    path: entry.path === '' ? '.' : displayPath(entry.path),
    ...rawOf(entry.path),
    type: entry.type,
    mode: entry.mode.toString(8).padStart(4, '0'),
    uid: entry.uid,
    gid: entry.gid,
    ...(size === undefined ? {} : { size }),
    ...(data === undefined || entry.size === undefined ? {} : { holes: entry.size - data }),
    mtime: { seconds: entry.mtime.seconds, nanoseconds: entry.mtime.nanoseconds },
    ...(entry.target === undefined ? {} : { target: displayPath(entry.target) }),
    ...(entry.major === undefined ? {} : { major: entry.major }),
    ...(entry.minor === undefined ? {} : { minor: entry.minor }),
    ...(entry.xattrs === undefined || entry.xattrs.length === 0
      ? {}
      : {
          xattrs: Object.fromEntries(
            entry.xattrs.map(({ name, value }) => [name, Buffer.from(value).toString('base64')]),
          ),
        }),
  };
}

/** The very bytes of a path, where what people see does not lead back to them. */
export function rawOf(path: RawPath): { rawPath?: string } {
  if (rawPath(displayPath(path)) === path) return {};
  return { rawPath: Buffer.from(path, 'latin1').toString('base64') };
}
