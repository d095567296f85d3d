import type { RawPath } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import { close, open, openFlags, truncate, writeAt } from '../native/files.ts';
import type { NativeBuffer } from '../native/native-buffer.ts';
import { FrameReader } from './frame-reader.ts';
import { fileColumns, pieceColumns, type RestoreUnit, type RestoreWorkerData } from './restore-message.ts';
import { type Creator, creationMode, explain, setAttributes } from './set-attributes.ts';

const { writeOnly, create, exclusive, noFollow } = openFlags;

/** What one thread does: verify the content of a unit, then write its files one after another, each once and whole if it can. */
export class RestoreWriter {
  readonly #base: string;
  readonly #creator: Creator;
  readonly #frames: FrameReader;
  readonly #remaining: Int32Array;
  readonly #stopped: Int32Array;

  constructor({ store, target, umask, uid, gid, remaining, stopped }: RestoreWorkerData) {
    this.#base = target === '/' ? '' : target;
    this.#creator = { umask, uid, gid };
    this.#frames = new FrameReader(store);
    this.#remaining = new Int32Array(remaining);
    this.#stopped = new Int32Array(stopped);
  }

  /** Writes a unit; nothing of it is written unless all of it is what it should be. */
  write(unit: RestoreUnit): { bytes: number; warnings: string[] } {
    this.#goOn();
    const content = this.#frames.read(unit);
    // Given back at once: megabytes that the collector would hardly notice.
    if ('bytes' in unit.source && unit.source.bytes.buffer instanceof ArrayBuffer) unit.source.bytes.buffer.transfer(0);
    const warnings: string[] = [];
    let bytes = 0;
    const rows = unit.pieces.length / pieceColumns;
    for (let row = 0; row < rows; ) {
      this.#goOn();
      const file = unit.pieces[row * pieceColumns] as number;
      let end = row + 1;
      while (end < rows && unit.pieces[end * pieceColumns] === file) end += 1;
      bytes += this.#file(unit, file, content, row, end, warnings);
      row = end;
    }
    return { bytes, warnings };
  }

  close(): void {
    this.#frames.close();
  }

  #goOn(): void {
    if (Atomics.load(this.#stopped, 0) !== 0) throw new ImprintError('interrupted', {});
  }

  #file(unit: RestoreUnit, file: number, content: NativeBuffer, from: number, to: number, warnings: string[]): number {
    const path = `${this.#base}/${unit.paths[file]}` as RawPath;
    const column = (index: number) => unit.files[file * fileColumns + index] as number;
    const mode = column(0);
    const shared = column(6);
    const flags = shared < 0 ? writeOnly | create | exclusive | noFollow : writeOnly | noFollow;
    const fd = open(path, flags, creationMode(mode));
    try {
      // The length first: a file system may set aside more than is asked when a file grows step by step.
      if (shared < 0 && column(5) >= 0) truncate(fd, column(5));
      const bytes = writePieces(fd, unit.pieces, content, from, to);
      if (shared < 0 || Atomics.sub(this.#remaining, shared, 1) === 1) {
        const attributes = {
          mode,
          uid: column(1),
          gid: column(2),
          seconds: column(3),
          nanoseconds: column(4),
          xattrs: unit.xattrs.get(file),
        };
        warnings.push(...setAttributes(fd, path, attributes, this.#creator, 'file'));
      }
      return bytes;
    } catch (error) {
      throw explain(error, path);
    } finally {
      close(fd);
    }
  }
}

/** Writes pieces; those that follow each other here and there go in one call. */
function writePieces(fd: number, pieces: Float64Array, content: NativeBuffer, from: number, to: number): number {
  let bytes = 0;
  for (let row = from; row < to; ) {
    const offset = pieces[row * pieceColumns + 1] as number;
    const position = pieces[row * pieceColumns + 3] as number;
    let length = 0;
    do {
      length += pieces[row * pieceColumns + 2] as number;
      row += 1;
    } while (
      row < to &&
      pieces[row * pieceColumns + 1] === offset + length &&
      pieces[row * pieceColumns + 3] === position + length
    );
    writeAt(fd, content.at(offset), length, position);
    bytes += length;
  }
  return bytes;
}
