import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

/**
 * A reader written from docs/image-format.md alone: it imports nothing of Imprint. It reads one version of a store into plain
 * objects, bytes as hexadecimal, and checks what the page says a reader must check.
 */
export function readAsAStranger(store: string, image: string, number: number, publicKey: string): Listing {
  const recordBytes = readFileSync(join(store, 'images', image, `${number}.json`));
  checkSignature(recordBytes, readFileSync(join(store, 'images', image, `${number}.json.minisig`), 'utf8'), publicKey);
  const record = JSON.parse(recordBytes.toString());
  const hex = record.digest.slice('sha256:'.length);
  const manifest = readManifest(readFileSync(join(store, 'manifests', `${hex}.manifest`)));
  must(sha256(manifest) === hex, 'digest');
  const chunks = new Map<string, Buffer>();
  for (const line of readFileSync(join(store, 'manifests', `${hex}.packs`), 'latin1')
    .trim()
    .split('\n')) {
    const pack = line.split(' ')[0] ?? '';
    readPack(readFileSync(join(store, 'packs', pack.slice(0, 2), `${pack}.pack`)), pack, chunks);
  }
  const entries: Listing['entries'] = [];
  for (const [field, value] of messageFields(manifest))
    if (field === 2) entries.push(readEntry(value as Buffer, chunks));
  return { record, entries };
}

export interface Listing {
  record: Record<string, unknown>;
  entries: Record<string, unknown>[];
}

function checkSignature(data: Buffer, text: string, publicKeyText: string): void {
  const [, body = '', trusted = '', global = ''] = text.split('\n');
  const signature = Buffer.from(body, 'base64');
  const key = Buffer.from(publicKeyText.split('\n')[1] ?? '', 'base64');
  must(signature.subarray(0, 2).toString() === 'ED' && key.subarray(0, 2).toString() === 'Ed', 'algorithm');
  must(signature.subarray(2, 10).equals(key.subarray(2, 10)), 'key id');
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(10)]);
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
  const comment = trusted.slice('trusted comment: '.length);
  const signed = createHash('blake2b512').update(data).digest();
  must(verify(null, signed, publicKey, signature.subarray(10)), 'signature');
  const whole = Buffer.concat([signature.subarray(10), Buffer.from(comment)]);
  must(verify(null, whole, publicKey, Buffer.from(global, 'base64')), 'global signature');
}

export function readManifest(file: Buffer): Buffer {
  must(
    file.toString('latin1', 0, 8) === 'imprman1' && file.toString('latin1', file.length - 8) === 'imprend1',
    'magic',
  );
  must(sha256(file.subarray(0, -40)) === file.toString('hex', file.length - 40, file.length - 8), 'file checksum');
  const parts: Buffer[] = [];
  for (let at = 8; file.readUInt32LE(at) > 0; ) {
    const length = file.readUInt32LE(at);
    parts.push(zstdDecompressSync(file.subarray(at + 8, at + 8 + length)));
    must(parts.at(-1)?.length === file.readUInt32LE(at + 4), 'block length');
    at += 8 + length;
  }
  return Buffer.concat(parts);
}

export function readPack(file: Buffer, name: string, chunks: Map<string, Buffer>): void {
  must(sha256(file) === name && file.toString('latin1', 0, 8) === 'imprpak1', 'pack');
  const footer = file.subarray(-56);
  must(footer.toString('latin1', 48) === 'imprtoc1' && footer.readUInt32LE(12) === 1, 'footer');
  const tableAt = Number(footer.readBigUInt64LE(0));
  const table = file.subarray(tableAt, tableAt + footer.readUInt32LE(8));
  must(sha256(table) === footer.toString('hex', 16, 48), 'table checksum');
  const [frames, count] = [table.readUInt32LE(0), table.readUInt32LE(4)];
  const [lengthsAt, hashesAt] = [8 + frames * 12, 8 + frames * 12 + count * 4];
  let offset = 8;
  let chunk = 0;
  for (let frame = 0; frame < frames; frame += 1) {
    const length = table.readUInt32LE(8 + frame * 12);
    const content = zstdDecompressSync(file.subarray(offset, offset + length));
    offset += length;
    let at = 0;
    for (const end = chunk + table.readUInt32LE(8 + frame * 12 + 8); chunk < end; chunk += 1) {
      const bytes = content.subarray(at, at + table.readUInt32LE(lengthsAt + chunk * 4));
      at += bytes.length;
      must(sha256(bytes) === table.toString('hex', hashesAt + chunk * 32, hashesAt + chunk * 32 + 32), 'chunk');
      chunks.set(sha256(bytes), bytes);
    }
    must(at === table.readUInt32LE(8 + frame * 12 + 4), 'frame length');
  }
}

const types = ['file', 'directory', 'symlink', 'hardlink', 'character', 'block', 'fifo', 'socket'];

function readEntry(message: Buffer, chunks: Map<string, Buffer>): Record<string, unknown> {
  const entry: Record<string, unknown> = {};
  const xattrs: [string, string][] = [];
  let hashes = Buffer.alloc(0);
  let lengths: bigint[] = [];
  const put: Record<number, (value: Buffer | bigint) => void> = {
    1: (value) => (entry.path = (value as Buffer).toString('hex')),
    2: (value) => (entry.type = types[Number(value)]),
    3: (value) => (entry.mode = Number(value).toString(8)),
    4: (value) => (entry.uid = Number(value)),
    5: (value) => (entry.gid = Number(value)),
    6: (value) => (entry.seconds = Number(BigInt.asIntN(64, ((value as bigint) >> 1n) ^ -((value as bigint) & 1n)))),
    7: (value) => (entry.nanoseconds = Number(value)),
    8: (value) => {
      const fields = new Map(messageFields(value as Buffer));
      xattrs.push([
        (fields.get(1) as Buffer).toString('latin1'),
        ((fields.get(2) as Buffer) ?? Buffer.alloc(0)).toString('hex'),
      ]);
    },
    9: (value) => (entry.size = Number(value)),
    10: (value) => (hashes = value as typeof hashes),
    11: (value) => (lengths = packed(value as Buffer)),
    12: (value) => (entry.segments = packed(value as Buffer).map(Number)),
    13: (value) => (entry.target = (value as Buffer).toString('hex')),
    14: (value) => (entry.major = Number(value)),
    15: (value) => (entry.minor = Number(value)),
  };
  entry.type = 'file';
  for (const [field, value] of messageFields(message)) put[field]?.(value);
  if (xattrs.length > 0) entry.xattrs = Object.fromEntries(xattrs);
  if (lengths.length > 0) {
    const parts = lengths.map((length, index) => {
      const bytes = chunks.get(hashes.toString('hex', index * 32, index * 32 + 32));
      must(bytes?.length === Number(length), 'chunk of an entry');
      return bytes as Buffer;
    });
    entry.data = sha256(Buffer.concat(parts));
  }
  return entry;
}

export function* messageFields(bytes: Buffer): Generator<[number, Buffer | bigint]> {
  for (let at = 0; at < bytes.length; ) {
    const [tag, afterTag] = varint(bytes, at);
    const [value, afterValue] = varint(bytes, afterTag);
    must((tag & 7n) === 0n || (tag & 7n) === 2n, 'wire type');
    at = (tag & 7n) === 2n ? afterValue + Number(value) : afterValue;
    yield [Number(tag >> 3n), (tag & 7n) === 2n ? bytes.subarray(afterValue, at) : value];
  }
}

export function packed(bytes: Buffer): bigint[] {
  const values: bigint[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [value, next] = varint(bytes, at);
    values.push(value);
    at = next;
  }
  return values;
}

function varint(bytes: Buffer, from: number): [bigint, number] {
  let value = 0n;
  for (let at = from, shift = 0n; ; at += 1, shift += 7n) {
    value |= BigInt((bytes[at] as number) & 0x7f) << shift;
    if ((bytes[at] as number) < 0x80) return [value, at + 1];
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function must(fact: boolean, what: string): void {
  if (!fact) throw new Error(`${what} is wrong`);
}
