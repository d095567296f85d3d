import { hash } from 'node:crypto';
import { closeSync, createReadStream, existsSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceFacts } from '../../src/contract/image.ts';
import { rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import type { ChunkReference, Entry } from '../../src/image/entry.ts';
import { type FinishedPack, PackBuilder } from '../../src/image/pack.ts';
import type { StoredVersion } from '../../src/store/store.ts';
import type { StoreTransaction, WritableStore } from '../../src/store/transaction.ts';
import { compress } from '../../src/store/zstd.ts';

/** A directory that goes with its scope. */
export async function temporaryDirectory(): Promise<{ path: string } & AsyncDisposable> {
  // In memory where there is such a place: a store waits for its disk, and a test need not.
  const path = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'imprint-test-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

export const source: SourceFacts = { location: '/golden', bootMode: 'unknown', disks: [], fileSystems: [] };

/** Writes one pack of the given contents, as a capture worker would. */
export async function addPack(
  transaction: StoreTransaction,
  contents: readonly Buffer[],
): Promise<{ pack: FinishedPack; chunks: ChunkReference[] }> {
  const path = join(transaction.directory, `${contents.length}.pack`);
  const file = openSync(path, 'w');
  const chunks = contents.map((content) => ({ hash: hash('sha256', content, 'buffer'), length: content.length }));
  let pack: FinishedPack;
  try {
    const builder = new PackBuilder({ compress, write: (bytes) => writeFully(file, bytes) });
    for (const [index, content] of contents.entries()) builder.append(chunks[index]?.hash as Buffer, content);
    pack = builder.finish();
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  await transaction.addPack(path, pack.id);
  return { pack, chunks };
}

function writeFully(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}

export const attributes = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 1_700_000_000, nanoseconds: 1 } };

/** A root directory with one file for each content. */
export function treeOf(files: Record<string, ChunkReference>): Entry[] {
  const directory = (path: string): Entry => ({ ...attributes, path: rawPath(path), type: 'directory', mode: 0o755 });
  const entries = [directory('')];
  const directories = new Set(['']);
  for (const [name, chunk] of Object.entries(files).toSorted()) {
    const names = name.split('/').slice(0, -1);
    for (let depth = 1; depth <= names.length; depth += 1) {
      const path = names.slice(0, depth).join('/');
      if (!directories.has(path)) entries.push(directory(path));
      directories.add(path);
    }
    entries.push({ ...attributes, path: rawPath(name), type: 'file', size: chunk.length, chunks: [chunk] });
  }
  return entries;
}

/** Commits a version whose files have these contents. */
export async function commitFiles(
  store: WritableStore,
  image: string,
  files: Record<string, Buffer>,
  tags: string[] = [],
): Promise<StoredVersion> {
  await using transaction = await store.begin('test', Task.silent());
  const known = knownSet(await transaction.knownChunks());
  const chunks = Object.fromEntries(
    Object.entries(files).map(([name, content]) => [
      name,
      { hash: hash('sha256', content, 'buffer'), length: content.length },
    ]),
  );
  const missing = Object.values(files).filter((content) => !known.has(hash('sha256', content, 'hex')));
  if (missing.length > 0) await addPack(transaction, missing);
  const { digest, bytes } = await transaction.writeManifest([treeOf(chunks)]);
  return await transaction.commit({
    image,
    digest,
    manifestBytes: bytes,
    source,
    stats: {
      entries: 1,
      files: 1,
      logicalBytes: 0,
      contentBytes: 0,
      newChunks: transaction.added.chunks,
      newBytes: transaction.added.bytes,
    },
    excluded: [],
    scrubbed: [],
    warnings: [],
    tags,
  });
}

export function knownSet(hashes: Uint8Array): Set<string> {
  const all = Buffer.from(hashes);
  return new Set(
    Array.from({ length: all.length / 32 }, (_, index) => all.toString('hex', index * 32, index * 32 + 32)),
  );
}

/** How a test's web server misbehaves: gives a status to send, `cut` to break off in the body, or undefined to serve. */
export type Misbehaviour = (path: string, request: number) => number | 'cut' | 'stall' | undefined;

/** A plain web server over a directory, with ranges: as little as a store may be behind. */
export async function serveDirectory(
  directory: string,
  misbehave: Misbehaviour = () => undefined,
  options: { ranges?: boolean } = {},
): Promise<{ url: string; requests: string[] } & AsyncDisposable> {
  const requests: string[] = [];
  const server: Server = createServer(async (request, response) => {
    const path = decodeURIComponent((request.url ?? '').replace(/^\/store\//, ''));
    requests.push(`${path} ${request.headers.range ?? ''}`.trim());
    const fault = misbehave(path, requests.length);
    if (fault === 'stall') return;
    if (typeof fault === 'number') return void response.writeHead(fault).end('no');
    const status = await stat(join(directory, path)).catch(() => undefined);
    if (!status?.isFile()) return void response.writeHead(404).end();
    const range = options.ranges === false ? undefined : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    const end = range ? Math.min(Number(range[2]), status.size - 1) : status.size - 1;
    if (range && start >= status.size) return void response.writeHead(416).end();
    response.writeHead(range ? 206 : 200, {
      'content-length': Math.max(0, end - start + 1),
      ...(range ? { 'content-range': `bytes ${start}-${end}/${status.size}` } : {}),
    });
    if (request.method === 'HEAD' || status.size === 0) return void response.end();
    if (fault === 'cut') {
      createReadStream(join(directory, path), { start, end: start }).on('data', (data) =>
        response.write(data, () => response.destroy()),
      );
      return;
    }
    createReadStream(join(directory, path), { start, end }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/store`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
