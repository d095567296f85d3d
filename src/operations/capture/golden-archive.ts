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

/**
 * Reads `paths` from the golden machine into the store. Paths that vanished or cannot be read are missing from the result.
 * Returns what tar complained of.
 */
export async function fetchPaths(
  golden: Golden,
  paths: readonly RawPath[],
  sink: ContentSink,
  fetched: Map<RawPath, FetchedPath>,
  task: Task,
): Promise<string[]> {
  const complaints: string[] = [];
  for (const [base, relative] of byBase(paths)) {
    complaints.push(...(await fetchBelow(golden, base, relative, sink, fetched, task)));
  }
  return complaints;
}

/** Paths that are too long for a system call are read from a directory on their way; all others from the root (`''`). */
function byBase(paths: readonly RawPath[]): Map<RawPath, RawPath[]> {
  const groups = new Map<RawPath, RawPath[]>();
  for (const path of paths) {
    const slash = path.length > longestPath ? path.lastIndexOf('/', path.length - 1) : -1;
    const base = path.slice(0, Math.max(slash, 0)) as RawPath;
    const group = groups.get(base);
    if (group === undefined) groups.set(base, [path.slice(slash + 1) as RawPath]);
    else group.push(path.slice(slash + 1) as RawPath);
  }
  return groups;
}

async function fetchBelow(
  golden: Golden,
  base: RawPath,
  paths: readonly RawPath[],
  sink: ContentSink,
  fetched: Map<RawPath, FetchedPath>,
  task: Task,
): Promise<string[]> {
  const archive = await golden.fetch(paths, base === '' ? undefined : base);
  const wanted = new Set(paths);
  const storing: Promise<void>[] = [];
  try {
    for await (const member of readTar(archive.bytes, 'from the golden machine')) {
      task.signal.throwIfAborted();
      const name = member.path.replace(/^\.\/?/, '') as RawPath;
      const path = (base === '' ? name : `${base}/${name}`) as RawPath;
      const entry = wanted.has(name) ? entryOf(member, path) : undefined;
      if (entry === undefined || member.ctime === undefined) continue;
      if (member.storedSize > 0) {
        const { stored } = await sink.storeStream(counted(member, task));
        const filling = stored.then((chunks) => {
          entry.chunks = chunks;
        });
        // Awaited below; until then a failure must not end the process.
        filling.catch(() => {});
        storing.push(filling);
      }
      fetched.set(path, { entry, ctime: member.ctime, started: archive.started });
    }
    await Promise.all(storing);
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
