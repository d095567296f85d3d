import { writeSync } from 'node:fs';
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ByteRanges } from '../../foundation/byte-ranges.ts';
import { writing } from '../../store/durable.ts';
import { isHexHash } from '../../store/layout.ts';
import { makeDirectories } from '../../store/make-directories.ts';
import type { ChunkLocation, Store } from '../../store/store.ts';

/** Frames that lie closer together than this are fetched with what is between them: another request costs more. */
const gapLimit = 128 << 10;
/** Bytes after which it is noted how far a transfer has come. */
const noteEvery = 4 << 20;

/** A range of a pack that is to be fetched. */
export interface PackRange {
  pack: string;
  from: number;
  to: number;
}

/**
 * Parts of packs that were fetched, each at its place in a file of the pack's name, with a list of what is there beside it (`NAME.have`, a line `from to`
 * for each range), so that what was fetched before a cut is not fetched again. The list may promise what a power cut took: whoever reads checks.
 */
export class FetchedPacks {
  readonly #directory: string;
  readonly #have = new Map<string, ByteRanges>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(directory: string): Promise<FetchedPacks> {
    const packs = new FetchedPacks(directory);
    await writing(directory, () => makeDirectories(directory));
    for (const name of await readdir(directory)) {
      const pack = name.slice(0, 64);
      if (!isHexHash(pack) || name !== `${pack}.have`) continue;
      for (const line of (await readFile(join(directory, name), 'latin1')).split('\n')) {
        const match = /^(\d{1,15}) (\d{1,15})$/.exec(line);
        if (match !== null) packs.#ranges(pack).add(Number(match[1]), Number(match[2]));
      }
    }
    return packs;
  }

  /** What must be fetched so that these frames are there, in few ranges. */
  missing(frames: Iterable<ChunkLocation>): PackRange[] {
    const wanted = new Map<string, PackRange>();
    for (const { pack, frameOffset, frameLength } of frames)
      wanted.set(`${pack}:${frameOffset}`, { pack, from: frameOffset, to: frameOffset + frameLength });
    const sorted = [...wanted.values()].toSorted((a, b) =>
      a.pack === b.pack ? a.from - b.from : a.pack < b.pack ? -1 : 1,
    );
    const ranges: PackRange[] = [];
    for (const { pack, from, to } of sorted) {
      for (const gap of this.#ranges(pack).missing(from, to)) {
        const last = ranges.at(-1);
        if (last?.pack === pack && gap.from - last.to <= gapLimit) last.to = gap.to;
        else ranges.push({ pack, ...gap });
      }
    }
    return ranges;
  }

  /** Fetches a range; `passed` hears of every piece, and may hold it up. Errors: `store-unreachable`, `corrupt-pack`, `disk-full`. */
  async fetch(store: Store, { pack, from, to }: PackRange, passed: (bytes: number) => Promise<void>): Promise<void> {
    const path = join(this.#directory, pack);
    await using file = await writing(path, () =>
      open(path, 'a+').then((made) => made.close().then(() => open(path, 'r+'))),
    );
    await using list = await writing(path, () => open(`${path}.have`, 'a'));
    let noted = from;
    let reached = from;
    const note = async () => {
      if (reached === noted) return;
      await writing(path, () => list.appendFile(`${noted} ${reached}\n`));
      this.#ranges(pack).add(noted, reached);
      noted = reached;
    };
    try {
      await store.copyPack(pack, from, to - from, async (bytes, at) => {
        await writing(path, () => writeAll(file, bytes, at));
        reached = at + bytes.length;
        if (reached - noted >= noteEvery) await note();
        await passed(bytes.length);
      });
    } finally {
      await note();
    }
  }

  /** A frame as it is stored; undefined where it was not fetched. */
  async read({ pack, frameOffset, frameLength }: ChunkLocation): Promise<Buffer | undefined> {
    if (!this.#ranges(pack).covers(frameOffset, frameOffset + frameLength)) return undefined;
    await using file = await open(join(this.#directory, pack), 'r');
    const bytes = Buffer.allocUnsafeSlow(frameLength);
    const { bytesRead } = await file.read(bytes, 0, frameLength, frameOffset);
    return bytesRead === frameLength ? bytes : undefined;
  }

  /** Forgets a frame that turned out to be damaged, so that it is fetched again. */
  forget({ pack }: ChunkLocation): void {
    this.#have.set(pack, new ByteRanges());
  }

  #ranges(pack: string): ByteRanges {
    const known = this.#have.get(pack) ?? new ByteRanges();
    this.#have.set(pack, known);
    return known;
  }
}

/** Writes all of `bytes` at a place of a file; at once: to have another thread write a piece costs more than writing it. */
export async function writeAll({ fd }: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}
