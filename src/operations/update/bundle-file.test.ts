import { createHash, hash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Digest, type RawPath, rawPath } from '../../foundation/brand.ts';
import {
  bundleFooterLength,
  bundleHead,
  type ChunkFrame,
  encodeBundleFooter,
  encodeBundleTable,
  hashedPartOfFooter,
} from '../../image/bundle.ts';
import { ManifestEncoder } from '../../image/manifest-encoder.ts';
import { ManifestFileWriter } from '../../image/manifest-file.ts';
import { setModifiedTime } from '../../native/attributes.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { createPrefixCompressor } from '../../native/zstd-prefix.ts';
import { VerifiedManifest } from '../../store/manifest-reader.ts';
import { compress } from '../../store/zstd.ts';
import { BundleFile } from './bundle-file.ts';
import { LocalChunks } from './local-chunks.ts';

const signal = new AbortController().signal;
const to = `sha256:${'1'.repeat(64)}` as Digest;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'imprint-bundle-'));
  mkdirSync(join(directory, 'root'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A version of files of one chunk, below `root`. */
function base(files: readonly Buffer[]): VerifiedManifest {
  const common = { mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 1, nanoseconds: 0 } };
  const entries = files.map((bytes, number) => {
    const path = `f${number}` as RawPath;
    writeFileSync(join(directory, 'root', path), bytes);
    setModifiedTime(rawPath(join(directory, 'root', path)), 1, 0);
    const chunks = [{ hash: hash('sha256', bytes, 'buffer'), length: bytes.length }];
    return { ...common, path, type: 'file' as const, size: bytes.length, chunks };
  });
  const writer = new ManifestFileWriter(compress);
  const encoder = new ManifestEncoder();
  const out = writer.add(encoder.encode([{ ...common, path: '' as RawPath, type: 'directory' }, ...entries]));
  const { out: rest, digest } = writer.finish();
  return new VerifiedManifest(Buffer.concat([...out, ...rest]), digest, 'test');
}

function filled(bytes: Buffer): { buffer: NativeBuffer; length: number } {
  const buffer = new NativeBuffer(bytes.length);
  buffer.bytes.set(bytes);
  return { buffer, length: bytes.length };
}

/** A bundle whose frame n has two chunks that are like the old file n. */
function writeBundle(from: Digest, files: readonly Buffer[], chunks: readonly (readonly Buffer[])[]): string {
  const compressor = createPrefixCompressor(3);
  const parts: Buffer[] = [bundleHead];
  const frames = chunks.map((own, number): ChunkFrame => {
    const content = Buffer.concat(own);
    const old = files[number] as Buffer;
    const stored = Buffer.from(compressor.compress(filled(old), filled(content)));
    parts.push(stored);
    const prefix = [{ entry: number + 1, offset: 0, length: old.length }];
    return { stored: stored.length, content: content.length, chunks: own.length, prefix };
  });
  compressor.free();
  const table = encodeBundleTable({ manifest: [], frames });
  const stored = compress(table);
  const tableOffset = parts.reduce((sum, { length }) => sum + length, 0);
  const footer = { tableOffset, tableLength: stored.length, contentLength: table.length, from, to };
  const hashed = hashedPartOfFooter(encodeBundleFooter({ ...footer, hash: Buffer.alloc(32) }));
  const sum = createHash('sha256')
    .update(Buffer.concat([...parts, stored, hashed]))
    .digest();
  const path = join(directory, 'bundle');
  const bytes = Buffer.concat([...parts, stored, encodeBundleFooter({ ...footer, hash: sum })]);
  expect(bytes.length).toBe(tableOffset + stored.length + bundleFooterLength);
  writeFileSync(path, bytes);
  return path;
}

it('chunks of a bundle come out right in any order, though frames share memory; not those whose old file is another', async () => {
  const files = Array.from({ length: 6 }, (_, number) => randomBytes(1000 * (number + 1)));
  const chunks = files.map((old) => [Buffer.from(old).fill(1, 100, 120), Buffer.from(old).fill(2, 500, 600)]);
  const manifest = base(files);
  const path = writeBundle(manifest.digest, files, chunks);
  writeFileSync(join(directory, 'root/f4'), 'something else');
  const local = await LocalChunks.read(join(directory, 'root'), manifest, signal);
  await using bundle = await BundleFile.open(path, manifest.digest, to);
  const all = chunks.flat().map((bytes) => ({ bytes, name: hash('sha256', bytes) }));
  bundle.expect(all.map(({ name, bytes }) => ({ name, length: bytes.length })));
  const lost = new Set(chunks[4]?.map((bytes) => hash('sha256', bytes)));
  expect(bundle.doubtful(local)).toEqual([...lost]);
  const order = [...all, ...all.toReversed(), ...all.filter((_, index) => index % 3 === 0), ...all];
  for (const { name, bytes } of order) {
    const found = bundle.read(name, local);
    if (lost.has(name)) expect(found).toBeUndefined();
    else expect(found?.equals(bytes)).toBe(true);
  }
  expect(bundle.read(hash('sha256', 'unknown'), local)).toBeUndefined();
  // What the old version has is there as long as its file is.
  for (const [number, old] of files.entries()) {
    const found = local.read(hash('sha256', old));
    expect(found === undefined ? undefined : Buffer.from(found).equals(old)).toBe(number === 4 ? undefined : true);
  }
  local.close();
});
