import { readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { objectFileLimit } from '../../contract/kept-object.ts';
import { type RawPath, rawPath } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { type Entry, typeBits } from '../../image/entry.ts';
import { objectPaths } from '../../machine/carried-state.ts';
import { readXattrs } from '../../native/attributes.ts';
import { makeDirectory, makeNode, symlink } from '../../native/nodes.ts';
import { readLink } from '../../native/status.ts';
import { syncTree } from '../../tree/converge-tree.ts';
import { putAttributes } from '../../tree/entry-attributes.ts';
import { type CarriedEntry, findCarried } from './object-files.ts';
import { type KeptObject, pointLatest } from './object-state.ts';

/** Uncompressed. */
const contentLimit = 64 << 20;

const headSchema = z.object({
  imprint: z.literal('object'),
  format: z.literal(1),
  number: z.int().positive(),
  created: z.string().max(40),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  entries: z.array(z.object({ path: z.string(), line: z.string() })),
});
const lineSchema = z.object({
  /** Raw bytes as Latin-1, relative, parents first. */
  path: z.string().regex(/^(?!\/)(?!.*(?:^|\/)(?:\.{0,2})(?:\/|$))[^\0]+$/s),
  type: z.enum(['directory', 'file', 'symlink', 'fifo', 'character', 'block']),
  mode: z.int().min(0).max(0o7777),
  uid: z.int().nonnegative(),
  gid: z.int().nonnegative(),
  mtime: z.tuple([z.int(), z.int()]),
  /** Values in base64. */
  xattrs: z.record(z.string(), z.string()).optional(),
  /** Of a file, base64. */
  content: z.string().optional(),
  /** Of a symbolic link, Latin-1. */
  target: z.string().optional(),
  device: z.tuple([z.int(), z.int()]).optional(),
});
type Line = z.infer<typeof lineSchema>;
/** An object out of its file. */
export type ParsedObject = z.infer<typeof headSchema> & { lines: Line[] };

/**
 * An object as one file, to be kept elsewhere: JSON lines in zstd, first what it is, then each entry with its content, the directories before
 * what is in them. Errors: `object-unfit` where it is too large; `io-failed`.
 */
export function objectFile(object: KeptObject): Buffer {
  const { number, created, digest, entries, directory } = object;
  const tree = join(directory, objectPaths.tree);
  const lines = [JSON.stringify({ imprint: 'object', format: 1, number, created, digest, entries })];
  let size = 0;
  const tooLarge = (bytes: number) =>
    new ImprintError('object-unfit', {
      problem: `it holds more than ${formatBytes(bytes)}`,
      hint: 'Name less in carry:, or keep it elsewhere (stateDirectory:), see docs/agent.md.',
    });
  try {
    for (const entry of findCarried(tree, ['*'])) {
      const line = JSON.stringify(lineOf(tree, entry));
      size += line.length;
      if (size > contentLimit) throw tooLarge(contentLimit);
      lines.push(line);
    }
  } catch (thrown) {
    throw toImprintError(thrown);
  }
  const file = zstdCompressSync(Buffer.from(lines.map((line) => `${line}\n`).join('')));
  if (file.length > objectFileLimit) throw tooLarge(objectFileLimit);
  return file;
}

function lineOf(tree: string, { path, type, status }: CarriedEntry): Line {
  const place = `${tree}/${path}` as RawPath;
  const xattrs = Object.fromEntries(
    readXattrs(place).map(({ name, value }) => [name, Buffer.from(value).toString('base64')]),
  );
  return {
    ...{ path, type: type as Line['type'], mode: status.mode & 0o7777, uid: status.uid, gid: status.gid },
    mtime: [status.mtimeSeconds, status.mtimeNanoseconds],
    ...(Object.keys(xattrs).length === 0 ? {} : { xattrs }),
    ...(type === 'file' ? { content: readFileSync(Buffer.from(place, 'latin1')).toString('base64') } : {}),
    ...(type === 'symlink' ? { target: readLink(place) } : {}),
    ...(type === 'character' || type === 'block' ? { device: [status.major, status.minor] as [number, number] } : {}),
  };
}

/** Reads an object's file, which nothing is believed of. Errors: `object-unfit`. */
export function parseObjectFile(file: Uint8Array): ParsedObject {
  try {
    const text = zstdDecompressSync(file, { maxOutputLength: contentLimit + (8 << 20) }).toString('utf8');
    const [head = '', ...rest] = text.trimEnd().split('\n');
    const lines = rest.map((line) => lineSchema.parse(JSON.parse(line)));
    const directories = new Set(['']);
    for (const { path, type } of lines) {
      // So nothing is ever written through a link.
      if (!directories.has(path.slice(0, Math.max(0, path.lastIndexOf('/')))))
        throw new RangeError('no such directory');
      if (type === 'directory') directories.add(path);
    }
    if (new Set(lines.map(({ path }) => path)).size !== lines.length) throw new RangeError('a name comes twice');
    return { ...headSchema.parse(JSON.parse(head)), lines };
  } catch (thrown) {
    const problem = 'its file is damaged, or none of an object';
    throw new ImprintError('object-unfit', { problem, hint: 'Have the machine keep it again.' }, { cause: thrown });
  }
}

/**
 * Puts an object out of its file into a state directory, as the newest there. `leave`: paths that stay out of it. Errors: `object-unfit`,
 * `disk-full`, `io-failed`.
 */
export async function unpackObject(
  file: Uint8Array,
  stateDirectory: string,
  leave: (path: string) => boolean = () => false,
): Promise<KeptObject> {
  const { lines, number, digest, created, entries } = parseObjectFile(file);
  const temporary = join(stateDirectory, '.new');
  const directory = join(stateDirectory, String(number));
  try {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    await rm(temporary, { recursive: true, force: true });
    const tree = join(temporary, objectPaths.tree);
    await mkdir(tree, { recursive: true, mode: 0o700 });
    const taken = lines.filter(({ path }) => !leave(path));
    for (const line of taken) await put(tree, line);
    for (const line of taken.toReversed()) {
      if (line.type === 'directory') putAttributes(entryOf(line), `${tree}/${line.path}` as RawPath);
    }
    const kept = entries.filter(({ path }) => !leave(path));
    const description = { format: 1, number, created, digest, entries: kept };
    await writeFile(join(temporary, objectPaths.description), `${JSON.stringify(description)}\n`, { mode: 0o600 });
    syncTree(rawPath(temporary));
    await rm(directory, { recursive: true, force: true });
    await rename(temporary, directory);
    await pointLatest(stateDirectory, number);
    return { number, directory, digest, created, entries: kept as KeptObject['entries'] };
  } catch (thrown) {
    throw toImprintError(thrown);
  }
}

async function put(tree: string, line: Line): Promise<void> {
  const place = `${tree}/${line.path}` as RawPath;
  if (line.type === 'directory') return makeDirectory(place, 0o700);
  if (line.type === 'file') {
    await writeFile(Buffer.from(place, 'latin1'), Buffer.from(line.content ?? '', 'base64'), {
      mode: 0o600,
      flag: 'wx',
    });
  } else if (line.type === 'symlink') symlink((line.target ?? '') as RawPath, place);
  else {
    const [major = 0, minor = 0] = line.device ?? [];
    makeNode(place, typeBits[line.type], line.mode & 0o777, major, minor);
  }
  putAttributes(entryOf(line), place);
}

function entryOf({ path, type, mode, uid, gid, mtime: [seconds, nanoseconds], xattrs = {} }: Line): Entry {
  return {
    ...{ path: path as RawPath, type, mode, uid, gid },
    mtime: { seconds, nanoseconds },
    xattrs: Object.entries(xattrs).map(([name, value]) => ({ name, value: Buffer.from(value, 'base64') })),
  };
}
