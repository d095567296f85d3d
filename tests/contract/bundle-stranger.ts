import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { messageFields, must, packed, readManifest, readPack, sha256 } from './stranger.ts';

/** A file of a manifest: hashes and lengths of its chunks. */
type Chunks = { hash: string; length: number }[];

/**
 * A reader of bundles written from docs/image-format.md alone: from a store that has the old version, and the bundle, it makes the new manifest and
 * all new content, by hash. It imports nothing of Imprint.
 */
export function readBundleAsAStranger(store: string, file: Buffer): { manifest: Buffer; chunks: Map<string, Buffer> } {
  must(
    file.toString('latin1', 0, 8) === 'imprbun1' && file.toString('latin1', file.length - 8) === 'imprbue1',
    'magic',
  );
  must(sha256(file.subarray(0, -40)) === file.toString('hex', file.length - 40, file.length - 8), 'checksum');
  const footer = file.subarray(-120);
  const tableAt = Number(footer.readBigUInt64LE(0));
  const table = zstdDecompressSync(file.subarray(tableAt, tableAt + footer.readUInt32LE(8)));
  must(table.length === footer.readUInt32LE(12), 'length of the table');
  const [from, to] = [footer.toString('hex', 16, 48), footer.toString('hex', 48, 80)];
  const before = readManifest(readFileSync(join(store, 'manifests', `${from}.manifest`)));
  const data = dataOf(store, before);
  let at = 8;
  const next = (stored: number) => {
    at += stored;
    return file.subarray(at - stored, at);
  };
  const parts: Buffer[] = [];
  const frames: Buffer[] = [];
  for (const [field, value] of messageFields(table)) {
    if (field === 2) parts.push(value as Buffer);
    if (field === 3) frames.push(value as Buffer);
  }
  const manifest = Buffer.concat(
    parts.map((message) => {
      const { stored, content, prefix } = frameOf(message);
      const [offset = 0, length = 0] = prefix;
      return decompress(next(stored), before.subarray(offset, offset + length), content);
    }),
  );
  must(sha256(manifest) === to, 'digest');
  const missing = missingChunks(before, manifest);
  const chunks = new Map<string, Buffer>();
  for (const message of frames) {
    const { stored, content, count, prefix } = frameOf(message);
    const ranges: Buffer[] = [];
    for (let index = 0; index < prefix.length; index += 3) {
      const [entry = 0, offset = 0, length = 0] = prefix.slice(index, index + 3);
      ranges.push(data(entry).subarray(offset, offset + length));
    }
    const bytes = decompress(next(stored), Buffer.concat(ranges), content);
    let offset = 0;
    for (const { hash, length } of missing.splice(0, count)) {
      const chunk = bytes.subarray(offset, offset + length);
      must(sha256(chunk) === hash, 'chunk');
      chunks.set(hash, chunk);
      offset += length;
    }
    must(offset === content, 'length of a frame');
  }
  must(missing.length === 0 && at === tableAt, 'end');
  return { manifest, chunks };
}

function frameOf(message: Buffer): { stored: number; content: number; count: number; prefix: number[] } {
  const fields = new Map(messageFields(message));
  const number = (field: number) => Number(fields.get(field) ?? 0);
  const prefix = packed((fields.get(4) as Buffer | undefined) ?? Buffer.alloc(0)).map(Number);
  return { stored: number(1), content: number(2), count: number(3), prefix };
}

function decompress(frame: Buffer, prefix: Buffer, length: number): Buffer {
  const content = zstdDecompressSync(frame, prefix.length === 0 ? {} : { dictionary: prefix });
  must(content.length === length, 'length of content');
  return content;
}

/** The chunks of each entry of a manifest, none for what is no file. */
function filesOf(manifest: Buffer): Chunks[] {
  const files: Chunks[] = [];
  for (const [field, message] of messageFields(manifest)) {
    if (field !== 2) continue;
    const fields = new Map(messageFields(message as Buffer));
    const hashes = (fields.get(10) as Buffer | undefined) ?? Buffer.alloc(0);
    const lengths = packed((fields.get(11) as Buffer | undefined) ?? Buffer.alloc(0)).map(Number);
    const isFile = Number(fields.get(2) ?? 0) === 0;
    const hash = (index: number) => hashes.toString('hex', index * 32, index * 32 + 32);
    files.push(isFile ? lengths.map((length, index) => ({ hash: hash(index), length })) : []);
  }
  return files;
}

function missingChunks(before: Buffer, after: Buffer): Chunks {
  const known = new Set(filesOf(before).flatMap((chunks) => chunks.map(({ hash }) => hash)));
  return filesOf(after)
    .flat()
    .filter(({ hash }) => !known.has(hash) && known.add(hash));
}

/** Gives the data of an entry of the old version, out of the store's packs. */
function dataOf(store: string, before: Buffer): (entry: number) => Buffer {
  const contents = new Map<string, Buffer>();
  for (const name of readdirSync(join(store, 'packs'), { recursive: true, encoding: 'utf8' }))
    if (name.endsWith('.pack')) readPack(readFileSync(join(store, 'packs', name)), name.slice(3, -5), contents);
  const files = filesOf(before);
  return (entry) => Buffer.concat((files[entry] ?? []).map(({ hash }) => contents.get(hash) ?? Buffer.alloc(0)));
}
