import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { type BootCopy, bootCopySchema } from '../../contract/boot-copy.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { readTar } from '../../image/tar.ts';
import { plainTarHeader, tarEnd, tarPadding } from '../../image/tar-writer.ts';
import { bootCopyProblem } from '../../machine/boot-copy-problem.ts';
import { restorePage } from '../../machine/boot-copy-words.ts';
import { syncDirectory } from '../../store/durable.ts';
import type { BootScan, MemberContent } from './scan-boot.ts';

const recordName = 'copy.json';
const pageName = 'RESTORE.txt';
/** A copy of megabytes is usual; what claims more is damage, or no copy. */
const mostBytes = 8 * 2 ** 30;
const recordLimit = 64 << 20;

/**
 * Writes a safety copy: a tar in gzip, first its record, then a page on how to do without Imprint, then every member. It was opened once when it appears, and
 * is on the disk when the promise resolves. Errors: `disk-full`, `io-failed`, `read-only`, `interrupted`.
 */
export async function writeCopy(
  file: string,
  { record, contents }: Pick<BootScan, 'record' | 'contents'>,
  signal: AbortSignal,
): Promise<{ bytes: number; sha256: string }> {
  const aside = join(dirname(file), `.${basename(file)}.${process.pid}.part`);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    await using target = await open(aside, 'w', 0o600);
    const packed = Readable.from(archive(record, contents)).pipe(createGzip({ level: 6 }));
    for await (const piece of packed as AsyncIterable<Buffer>) {
      signal.throwIfAborted();
      await target.write(piece);
      hash.update(piece);
      bytes += piece.length;
    }
    await target.sync();
    await proveCopy(aside, record.disk.path, signal);
    await rename(aside, file);
    await syncDirectory(dirname(file));
    return { bytes, sha256: hash.digest('hex') };
  } catch (thrown) {
    await rm(aside, { force: true });
    const failure = thrown as NodeJS.ErrnoException;
    // The name that the user knows.
    throw toImprintError(failure.code === undefined ? failure : Object.assign(failure, { path: file }));
  }
}

/** What was read twice must have been the same. Errors: `io-failed`. */
async function proveCopy(file: string, disk: string, signal: AbortSignal): Promise<void> {
  try {
    await (await openCopy(file, signal))[Symbol.asyncDispose]();
  } catch (thrown) {
    const error = toImprintError(thrown);
    if (error.code !== 'boot-copy-invalid') throw error;
    const problem = 'what it boots from changed meanwhile; try again';
    throw new ImprintError('io-failed', { operation: 'copying from', path: disk, problem }, { cause: error });
  }
}

function* archive(record: BootCopy, contents: ReadonlyMap<string, MemberContent>): Generator<Uint8Array> {
  const time = Math.floor(Date.parse(record.created) / 1000);
  const text = (name: string, words: string) => {
    const content = Buffer.from(words);
    return [plainTarHeader(name, content.length, 'file', time), content, Buffer.alloc(tarPadding(content.length))];
  };
  yield* text(recordName, `${JSON.stringify(record, undefined, 1)}\n`);
  yield* text(pageName, restorePage(record));
  for (const [name, { size, pieces }] of contents) {
    yield plainTarHeader(name, size, 'file', time);
    yield* pieces();
    yield Buffer.alloc(tarPadding(size));
  }
  yield tarEnd;
}

/** A safety copy that was read and found whole; its members lie in a directory of their own until it is disposed of. */
export interface OpenCopy extends AsyncDisposable {
  readonly record: BootCopy;
  /** Bytes of a member: `length` from `at`, or all. */
  bytes(file: string, at?: number, length?: number): Promise<Buffer>;
  /** Where a member lies, for programs. */
  path(file: string): string;
}

/**
 * Opens a safety copy, of which nothing is believed: each member is held against its hash before anything is done with it.
 * Errors: `file-not-found`, `boot-copy-invalid`, `disk-full`, `io-failed`, `interrupted`.
 */
export async function openCopy(file: string, signal: AbortSignal): Promise<OpenCopy> {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-copy-'));
  const dispose = () => rm(directory, { recursive: true, force: true });
  try {
    const places = new Map<string, string>();
    const record = await unpack(file, directory, places, signal);
    const path = (name: string) => places.get(name) ?? invalid(file, `it lacks ${name}`);
    return {
      record,
      path,
      bytes: async (name, at = 0, length) => {
        await using handle = await open(path(name), 'r');
        const bytes = Buffer.alloc(length ?? (await handle.stat()).size - at);
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, at);
        return bytes.subarray(0, bytesRead);
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (thrown) {
    await dispose();
    const error = thrown as NodeJS.ErrnoException;
    if (error.code === 'ENOENT') throw new ImprintError('file-not-found', { file }, { cause: thrown });
    if (error.code === 'EISDIR') invalid(file, 'it is a directory');
    if (error.code?.startsWith('Z_')) invalid(file, `it cannot be decompressed (${error.message})`);
    if (toImprintError(thrown).code === 'tar-invalid') invalid(file, 'it is no archive that is whole');
    throw toImprintError(thrown);
  }
}

async function unpack(
  file: string,
  directory: string,
  places: Map<string, string>,
  signal: AbortSignal,
): Promise<BootCopy> {
  let record: BootCopy | undefined;
  const wanted = new Map<string, string>();
  const sizes = new Map<string, number>();
  let total = 0;
  const source = createReadStream(file, { signal });
  const unpacked = createGunzip();
  source.on('error', (error) => unpacked.destroy(error));
  for await (const member of readTar(source.pipe(unpacked), file)) {
    if (member.type !== 'file') continue;
    total += member.size;
    if (total > mostBytes) invalid(file, 'it is larger than any that Imprint makes');
    if (record === undefined) {
      if (member.path !== recordName || member.size > recordLimit)
        invalid(file, `it does not begin with ${recordName}`);
      record = parseRecord(file, await collect(member.content()));
      const problem = bootCopyProblem(record);
      if (problem !== undefined) invalid(file, `its ${recordName} contradicts itself: ${problem}`);
      for (const [name, sha256] of membersOf(record)) wanted.set(name, sha256);
      continue;
    }
    const sha256 = wanted.get(member.path);
    if (sha256 === undefined || places.has(member.path)) continue;
    const place = join(directory, String(places.size));
    places.set(member.path, place);
    sizes.set(member.path, member.size);
    const hash = createHash('sha256');
    await using target = await open(place, 'w', 0o600);
    for await (const piece of member.content()) {
      hash.update(piece);
      await target.write(piece);
    }
    if (hash.digest('hex') !== sha256) invalid(file, `${member.path} is damaged`);
  }
  if (record === undefined) invalid(file, 'it is empty');
  for (const name of wanted.keys()) if (!places.has(name)) invalid(file, `it lacks ${name}`);
  for (const area of record.areas) {
    if (sizes.get(area.file) !== area.length) invalid(file, `${area.file} has another length than it should`);
  }
  return record;
}

function membersOf({ areas, volumes, variables }: BootCopy): [file: string, sha256: string][] {
  return [
    ...areas.map(({ file, sha256 }): [string, string] => [file, sha256]),
    ...variables.map(({ file, sha256 }): [string, string] => [file, sha256]),
    ...volumes.flatMap(({ files, own }) => [...files, own].map(({ file, sha256 }): [string, string] => [file, sha256])),
  ];
}

function parseRecord(file: string, bytes: Buffer): BootCopy {
  try {
    return bootCopySchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new ImprintError(
      'boot-copy-invalid',
      { file, problem: `its ${recordName} is not one that is known` },
      { cause },
    );
  }
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(Uint8Array.from(piece));
  return Buffer.concat(all);
}

function invalid(file: string, problem: string): never {
  throw new ImprintError('boot-copy-invalid', { file, problem });
}
