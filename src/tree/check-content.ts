import type { RawPath } from '../foundation/brand.ts';
import type { Entry } from '../image/entry.ts';
import { close, open, openFlags, readAt } from '../native/files.ts';
import { NativeBuffer } from '../native/native-buffer.ts';
import { bindSha256 } from '../native/sha256.ts';
import { chunkPlaces } from './chunk-places.ts';
import { findSegments } from './content-reader.ts';

const chunkLimit = 4 << 20;

/** Reads files and holds them against the hashes of their chunks. */
export class ContentCheck {
  readonly #buffer = new NativeBuffer(chunkLimit);
  readonly #hash = new NativeBuffer(32);
  readonly #sha256 = bindSha256();
  /** Bytes read so far. */
  bytes = 0;

  /**
   * The chunks of `entry` that the file at `path` does not hold where it should; undefined where the file as a whole is no base: other holes,
   * another length. Throws system errors.
   */
  differing(path: RawPath, entry: Entry): number[] | undefined {
    const size = entry.size ?? 0;
    const fd = open(path, openFlags.readOnly | openFlags.noFollow | openFlags.noAccessTime);
    try {
      if (!sameLayout(entry, size === 0 ? undefined : findSegments(fd, size))) return undefined;
      const differing: number[] = [];
      for (const { index, chunk, ranges } of chunkPlaces(entry)) {
        let done = 0;
        for (const { offset, length } of ranges) done += readAt(fd, this.#buffer.at(done), length, offset);
        this.bytes += done;
        this.#sha256(this.#buffer.pointer, chunk.length, this.#hash.pointer);
        if (done < chunk.length || !this.#hash.bytes.equals(chunk.hash)) differing.push(index);
      }
      return differing;
    } finally {
      close(fd);
    }
  }
}

function sameLayout({ segments, size = 0 }: Entry, found: readonly { offset: number; length: number }[] | undefined) {
  if (segments === undefined && found === undefined) return true;
  const whole = size === 0 ? [] : [{ offset: 0, length: size }];
  const [expected, actual] = [segments ?? whole, found ?? whole];
  if (expected.length !== actual.length) return false;
  return expected.every(({ offset, length }, at) => actual[at]?.offset === offset && actual[at]?.length === length);
}
