import type { RawPath } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import type { ChunkReference, Entry, Timestamp } from '../../image/entry.ts';
import { readTar, type TarMember } from '../../image/tar.ts';
import { type Golden, longestPath } from '../../system/golden.ts';

/** Where content goes. Takes no more than it can hold (back-pressure). */
export interface ContentSink {
  /** Resolves when the stream was read to its end; its chunks are known later, with `stored`. */
  storeStream(content: AsyncIterable<Uint8Array>): Promise<{ size: number; stored: Promise<ChunkReference[]> }>;
}

/** A path as it was read: what goes into the manifest, and the change time that it had just before. */
export interface FetchedPath {
  entry: Entry;
  ctime: Timestamp;
  /** Clock of the golden machine when the reading began. */
  started: Timestamp;
}

/** Takes what was read; `stored` settles when the entry has its chunks. What it gives back is awaited before more is read. */
export type TakeFetched = (fetched: FetchedPath, stored: Promise<void> | undefined) => Promise<void> | undefined;

/**
 * Reads `paths` from the golden machine into the store, and gives each to `take`: in the order of `paths`, but for those that are too
 * long for a system call, which come last. Paths that vanished or cannot be read do not come. Returns what tar complained of.
 *
 * @param wants whether a path is one of them: an archive may say what it likes
 */
export async function fetchPaths(
  golden: Golden,
  paths: Iterable<RawPath>,
  wants: (path: RawPath) => boolean,
  sink: ContentSink,
  take: TakeFetched,
  task: Task,
): Promise<string[]> {
  const long = new Map<RawPath, RawPath[]>();
  const fetching = { golden, wants, sink, take, task };
  const complaints = await fetchBelow(fetching, '' as RawPath, withoutLong(paths, long));
  for (const [base, relative] of long) complaints.push(...(await fetchBelow(fetching, base, relative)));
  return complaints;
}

/** Paths that are too long for a system call are read from a directory on their way; all others from the root. */
function* withoutLong(paths: Iterable<RawPath>, long: Map<RawPath, RawPath[]>): Generator<RawPath> {
  for (const path of paths) {
    if (path.length <= longestPath) {
      yield path;
      continue;
    }
    const slash = path.lastIndexOf('/');
    const base = path.slice(0, slash) as RawPath;
    const group = long.get(base);
    if (group === undefined) long.set(base, [path.slice(slash + 1) as RawPath]);
    else group.push(path.slice(slash + 1) as RawPath);
  }
}

interface Fetching {
  golden: Golden;
  wants: (path: RawPath) => boolean;
  sink: ContentSink;
  take: TakeFetched;
  task: Task;
}

async function fetchBelow(
  { golden, wants, sink, take, task }: Fetching,
  base: RawPath,
  paths: Iterable<RawPath>,
): Promise<string[]> {
  const archive = await golden.fetch(paths, base === '' ? undefined : base);
  try {
    for await (const member of readTar(archive.bytes, 'from the golden machine')) {
      task.signal.throwIfAborted();
      const name = member.path.replace(/^\.\/?/, '') as RawPath;
      const path = (base === '' ? name : `${base}/${name}`) as RawPath;
      const entry = wants(path) ? entryOf(member, path) : undefined;
      if (entry === undefined || member.ctime === undefined) continue;
      let filling: Promise<void> | undefined;
      if (member.storedSize > 0) {
        const { stored } = await sink.storeStream(counted(member, task));
        filling = stored.then((chunks) => {
          entry.chunks = chunks;
        });
        // Awaited by who takes it; until then a failure must not end the process.
        filling.catch(() => {});
      }
      const taken = take({ entry, ctime: member.ctime, started: archive.started }, filling);
      if (taken !== undefined) await taken;
    }
    return await archive.finish();
  } catch (error) {
    throw await betterReason(error, () => archive.finish());
  } finally {
    await archive.stop();
  }
}

/**
 * A stream that breaks off is seen by the tar reader first; why it did (the connection was lost, tar was killed) is known by how the
 * command ended.
 */
async function betterReason(error: unknown, ending: () => Promise<string[]>): Promise<unknown> {
  const broken = error instanceof Error && 'code' in error && error.code === 'tar-invalid';
  if (!broken) return error;
  return ending().then(
    () => error,
    (reason: unknown) => reason,
  );
}

function entryOf(member: TarMember, path: RawPath): Entry | undefined {
  const { type, mode, uid, gid, mtime, xattrs } = member;
  // Every path is asked for once under its first name; a link to another one means that it changed since it was listed.
  if (type === 'hardlink') return undefined;
  const entry: Entry = { path, type, mode, uid, gid, mtime, ...(xattrs.length === 0 ? {} : { xattrs }) };
  switch (type) {
    case 'file':
      return {
        ...entry,
        size: member.size,
        chunks: [],
        ...(member.segments === undefined ? {} : { segments: member.segments }),
      };
    case 'symlink':
      return { ...entry, target: member.target };
    case 'character':
    case 'block':
      return { ...entry, major: member.major, minor: member.minor };
    default:
      return entry;
  }
}

async function* counted(member: TarMember, task: Task): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of member.content()) {
    yield piece;
    task.advance(piece.length);
  }
}
