import type { RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { NativeBuffer } from '../native/native-buffer.ts';
import { bindSha256 } from '../native/sha256.ts';
import { ClaimTable } from './claim-table.ts';
import {
  type ContentAnswer,
  type ContentRequest,
  type ContentWorkerData,
  fileOutcomes,
  type StoredFiles,
  statusColumns,
} from './content-message.ts';
import { ContentReader, type ReadFile } from './content-reader.ts';
import { PackFiles } from './pack-files.ts';

type Answer = (message: ContentAnswer, transfer?: ArrayBuffer[]) => void;

/** How much of one file is read between two signs of life. */
const progressStep = 16 << 20;
/** Errors of one file only: it is passed over and named, and the capture goes on. */
const passedOver = new Set(['EACCES', 'EPERM', 'EIO', 'ELOOP', 'ENXIO', 'ETXTBSY', 'EOPNOTSUPP', 'ENODATA', 'EBADMSG']);

/** What one thread does: hash, claim, and put what is new into packs. */
export class ContentStorer {
  readonly #answer: Answer;
  readonly #claims: ClaimTable;
  readonly #packs: PackFiles;
  readonly #reader = new ContentReader();
  readonly #sha256 = bindSha256();
  readonly #hash = new NativeBuffer(32);
  readonly #words: Int32Array;
  readonly #stopped: Int32Array;

  constructor(data: ContentWorkerData, answer: Answer) {
    this.#answer = answer;
    this.#claims = new ClaimTable(data.claims);
    this.#stopped = new Int32Array(data.stopped);
    this.#words = new Int32Array(this.#hash.bytes.buffer, 0, 8);
    const onPack = (path: string, pack: string) => answer({ kind: 'pack', path, pack });
    this.#packs = new PackFiles(data.directory, `w${data.index}`, data.thoroughly, onPack);
  }

  handle(request: ContentRequest): void {
    switch (request.kind) {
      case 'files':
        this.#files(request.id, request.paths);
        break;
      case 'chunks':
        this.#chunks(request.id, request.bytes, request.lengths);
        break;
      case 'claims':
        this.#claims.add(request.memory);
        break;
      case 'finish':
        this.#packs.finish();
        this.#answer({ kind: 'finished', id: request.id });
        break;
      case 'stop':
        break;
    }
  }

  /** Stores one chunk unless it is stored already; its hash is then in `#hash`. */
  #store(source: NativeBuffer, offset: number, length: number): void {
    if (Atomics.load(this.#stopped, 0) !== 0) throw new ImprintError('interrupted', {});
    this.#sha256(source.at(offset), length, this.#hash.pointer);
    if (!this.#claims.claim(this.#words)) return;
    this.#packs.builder().append(this.#hash.bytes, source.bytes.subarray(offset, offset + length));
  }

  #chunks(id: number, bytes: Uint8Array, lengths: Uint32Array): void {
    const source = new NativeBuffer(bytes.length);
    source.bytes.set(bytes);
    const hashes = new Uint8Array(lengths.length * 32);
    let offset = 0;
    lengths.forEach((length, index) => {
      this.#store(source, offset, length);
      hashes.set(this.#hash.bytes, index * 32);
      offset += length;
    });
    this.#answer({ kind: 'hashes', id, hashes }, [hashes.buffer]);
  }

  #files(id: number, paths: readonly string[]): void {
    const result = new Results(paths.length);
    let unreported = 0;
    paths.forEach((path, index) => {
      try {
        const file = this.#reader.read(
          path as RawPath,
          () => result.begin(),
          (buffer, offset, length) => {
            this.#store(buffer, offset, length);
            result.chunk(this.#hash.bytes, length);
            unreported += length;
            if (length < unreported && unreported >= progressStep) {
              this.#answer({ kind: 'progress', bytes: unreported });
              unreported = 0;
            }
          },
        );
        result.file(index, file);
      } catch (error) {
        result.failed(index, error);
      }
    });
    if (unreported > 0) this.#answer({ kind: 'progress', bytes: unreported });
    const stored = result.take();
    this.#answer({ kind: 'stored', id, ...stored });
  }
}

/** Gathers the columns of a batch. */
class Results {
  readonly #outcomes: Uint8Array;
  readonly #statuses: Float64Array;
  readonly #inodes: BigUint64Array;
  readonly #sizes: Float64Array;
  readonly #chunkCounts: Uint32Array;
  readonly #lengths: number[] = [];
  readonly #segments: StoredFiles['segments'] = new Map();
  readonly #problems: StoredFiles['problems'] = new Map();
  #hashes: Uint8Array;
  #fileStart = 0;

  constructor(files: number) {
    this.#outcomes = new Uint8Array(files);
    this.#statuses = new Float64Array(files * statusColumns);
    this.#inodes = new BigUint64Array(files);
    this.#sizes = new Float64Array(files);
    this.#chunkCounts = new Uint32Array(files);
    this.#hashes = new Uint8Array(Math.max(files, 16) * 32);
  }

  /** A file is read from its start (perhaps again): forget what came of it so far. */
  begin(): void {
    this.#lengths.length = this.#fileStart;
  }

  chunk(hash: Uint8Array, length: number): void {
    const at = this.#lengths.length * 32;
    if (at + 32 > this.#hashes.length) {
      const larger = new Uint8Array(this.#hashes.length * 2);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashes.set(hash, at);
    this.#lengths.push(length);
  }

  file(index: number, { status, size, segments, changing }: ReadFile): void {
    this.#outcomes[index] = fileOutcomes.indexOf(changing ? 'changing' : 'stored');
    this.#statuses.set(
      [
        status.mode,
        status.uid,
        status.gid,
        status.device,
        status.mtimeSeconds,
        status.mtimeNanoseconds,
        status.ctimeSeconds,
        status.ctimeNanoseconds,
      ],
      index * statusColumns,
    );
    this.#inodes[index] = status.inode;
    this.#sizes[index] = size;
    this.#chunkCounts[index] = this.#lengths.length - this.#fileStart;
    if (segments !== undefined) this.#segments.set(index, segments);
    this.#fileStart = this.#lengths.length;
  }

  failed(index: number, error: unknown): void {
    if (error instanceof ImprintError) throw error;
    this.begin();
    const { code = '', message } = error as NodeJS.ErrnoException;
    const gone = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESTALE';
    if (!gone && !passedOver.has(code)) throw error;
    this.#outcomes[index] = fileOutcomes.indexOf(gone ? 'gone' : 'unreadable');
    this.#problems.set(index, message);
  }

  take(): StoredFiles {
    return {
      outcomes: this.#outcomes,
      statuses: this.#statuses,
      inodes: this.#inodes,
      sizes: this.#sizes,
      chunkCounts: this.#chunkCounts,
      chunkLengths: Uint32Array.from(this.#lengths),
      hashes: this.#hashes.slice(0, this.#lengths.length * 32),
      segments: this.#segments,
      problems: this.#problems,
    };
  }
}
