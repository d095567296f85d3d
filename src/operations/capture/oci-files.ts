import { createReadStream } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { ImprintError } from '../../foundation/errors.ts';
import { compressionOf } from '../../image/content-kind.ts';
import { FormatError } from '../../image/format-error.ts';
import { readTar } from '../../image/tar.ts';
import { plainBytes } from './archive-layer.ts';
import type { OciReading } from './oci-image.ts';

/** Files of an image layout, wherever it lies. Paths are ours or those of digests: `index.json`, `blobs/sha256/…`. */
export interface ImageFiles {
  /** Length in bytes; undefined where there is no such file. */
  size(path: string): Promise<number | undefined>;
  /** Its bytes from the first; may be asked again. */
  open(path: string): AsyncIterable<Uint8Array>;
}

const pieceLength = 1 << 20;
const linkLimit = 8;

/** All of a small file. Throws a `FormatError` where it is missing, or longer than `limit`. */
export async function readWhole(files: ImageFiles, path: string, limit = 16 << 20): Promise<Buffer> {
  const size = await files.size(path);
  if (size === undefined) throw new FormatError(`${path} is missing`);
  if (size > limit) throw new FormatError(`${path} is longer than can be`);
  const parts: Uint8Array[] = [];
  for await (const piece of files.open(path)) parts.push(piece);
  return Buffer.concat(parts);
}

/** A layout in a directory. */
export function filesOfDirectory(directory: string): ImageFiles {
  return {
    size: async (path) => {
      const found = await stat(join(directory, path)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
        throw error;
      });
      return found?.isFile() ? found.size : undefined;
    },
    open: (path) => createReadStream(join(directory, path), { highWaterMark: pieceLength }),
  };
}

/**
 * A layout in a tar file; one that is compressed, or comes through a pipe (`-`: stdin), is kept plain in a file beside the packs. Errors:
 * `tar-invalid`, `archive-damaged`, `source-not-found`.
 */
export async function filesOfArchive(path: string, reading: OciReading): Promise<ImageFiles> {
  const plain = await plainFile(path, reading);
  const places = new Map<string, { offset: number; size: number } | { link: string }>();
  for await (const member of readTar(createReadStream(plain, { highWaterMark: pieceLength }), path)) {
    reading.signal.throwIfAborted();
    const name = posix.normalize(member.path).replace(/^\/+/, '');
    if (member.type === 'file' && member.segments === undefined) {
      places.set(name, { offset: member.offset, size: member.storedSize });
    } else if (member.type === 'hardlink') places.set(name, { link: posix.normalize(member.target) });
    else if (member.type === 'symlink')
      places.set(name, { link: posix.normalize(`${posix.dirname(name)}/${member.target}`) });
  }
  const find = (name: string) => {
    let place = places.get(name);
    for (let links = 0; place !== undefined && 'link' in place && links < linkLimit; links += 1)
      place = places.get(place.link);
    return place === undefined || 'link' in place ? undefined : place;
  };
  return {
    size: async (name) => find(name)?.size,
    open: (name) => {
      const { offset, size } = find(name) ?? { offset: 0, size: 0 };
      if (size === 0) return nothing();
      return createReadStream(plain, { start: offset, end: offset + size - 1, highWaterMark: pieceLength });
    },
  };
}

async function plainFile(path: string, reading: OciReading): Promise<string> {
  if (path === '-') {
    return reading.spool(
      plainBytes({ name: 'stdin', open: () => addAbortSignal(reading.signal, process.stdin) }, reading),
    );
  }
  const found = await realpath(path).catch((cause: unknown) => {
    throw new ImprintError('source-not-found', { source: path }, { cause });
  });
  const source = { name: found, open: () => createReadStream(found, { highWaterMark: pieceLength }) };
  if ((await stat(found)).isFile() && !(await isCompressed(found))) return found;
  return reading.spool(plainBytes(source, reading));
}

async function isCompressed(path: string): Promise<boolean> {
  await using file = await open(path, 'r');
  const head = Buffer.alloc(6);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  return compressionOf(head.subarray(0, bytesRead)) !== undefined;
}

async function* nothing(): AsyncGenerator<Uint8Array, void, void> {}
