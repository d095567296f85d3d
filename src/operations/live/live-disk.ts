import { type FileHandle, open } from 'node:fs/promises';
import { toImprintError } from '../../foundation/errors.ts';
import type { CopiedMap, SectorRun } from '../../machine/copied-map.ts';
import {
  chooseLiveMap,
  type LiveArea,
  liveArea,
  liveMapSize,
  liveNoteSize,
  parseLiveNote,
  renderLiveMap,
  renderLiveNote,
} from '../../machine/live-area.ts';
import { chooseLiveRecord, type LiveRecord, liveRecordSize, renderLiveRecord } from '../../machine/live-record.ts';
import type { RootFileSystem } from '../../machine/root-file-system.ts';
import { revivedHead } from '../../machine/snapshot-store.ts';
import { fileSystemBytes, superblockReach } from '../../machine/superblock.ts';

const piece = 1 << 20;
const zeros = Buffer.alloc(64 * 1024);

/** Bytes of the source, from one byte on. */
export type ReadSource = (position: number, length: number) => Promise<Uint8Array>;

/**
 * The partition that a live system moves onto, as long as it does: what is written down of it, and what is copied. All of it by the kernel's threads: whoever
 * serves the root must not wait for the root's disk. Errors of all: `io-failed`.
 */
export class LiveDisk implements AsyncDisposable {
  readonly device: string;
  readonly #file: FileHandle;
  #nextRecord: 0 | 1 = 0;
  #nextMap: 0 | 1 = 0;
  #mapSequence = 0;

  private constructor(device: string, file: FileHandle) {
    this.device = device;
    this.#file = file;
  }

  /** To look only: where somebody opened a partition to write, udev looks at it anew when it is closed. */
  static async open(device: string, { readOnly = false }: { readOnly?: boolean } = {}): Promise<LiveDisk> {
    const file = await open(device, readOnly ? 'r' : 'r+').catch((error) => {
      throw toImprintError(error);
    });
    return new LiveDisk(device, file);
  }

  /** One that an earlier move left nothing on. */
  static async fresh(device: string, first: LiveRecord): Promise<LiveDisk> {
    const disk = await LiveDisk.open(device);
    try {
      await disk.forgetRecords(first.length);
      await disk.clear(first);
      return disk;
    } catch (error) {
      await disk[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The record that counts. `length`: sectors of the partition. */
  async record(length: number): Promise<LiveRecord | undefined> {
    const places = recordPlaces(length);
    const { record, next } = chooseLiveRecord([
      await this.#read(places[0], liveRecordSize),
      await this.#read(places[1], liveRecordSize),
    ]);
    this.#nextRecord = next;
    return record?.length === length ? record : undefined;
  }

  /** Whether the file system on it has grown over what is written down here, which is then none of ours any more. */
  async isOvergrown(type: RootFileSystem, { changesAt }: LiveRecord): Promise<boolean> {
    const bytes = fileSystemBytes(type, await this.#read(0, superblockReach));
    return bytes === undefined || bytes > changesAt * 512;
  }

  /** Lasting. */
  async keepRecord(record: LiveRecord): Promise<void> {
    const places = recordPlaces(record.length);
    await this.#write(places[this.#nextRecord], renderLiveRecord(record));
    await this.sync();
    this.#nextRecord = this.#nextRecord === 0 ? 1 : 0;
  }

  /** Takes every record away: what an earlier move left counts no more, nor does this one when it is done. */
  async forgetRecords(length: number): Promise<void> {
    for (const place of recordPlaces(length)) await this.#write(place, Buffer.alloc(liveRecordSize));
    await this.sync();
    this.#nextRecord = 0;
  }

  async note({ length, size }: LiveRecord): Promise<string | undefined> {
    return parseLiveNote(await this.#read(areaOf(length, size).note, liveNoteSize));
  }

  /** Lasting. */
  async keepNote({ length, size }: LiveRecord, text: string): Promise<void> {
    await this.#write(areaOf(length, size).note, renderLiveNote(text));
    await this.sync();
  }

  /** Which blocks were copied; undefined: none that anybody knows of. */
  async copied({ length, size }: LiveRecord): Promise<Uint8Array | undefined> {
    const { maps } = areaOf(length, size);
    const bytes = liveMapSize(size);
    const found = chooseLiveMap([await this.#read(maps[0], bytes), await this.#read(maps[1], bytes)]);
    this.#nextMap = found.next;
    this.#mapSequence = found.sequence;
    return found.bits;
  }

  /** Makes lasting what was copied, and then that it was. */
  async keepCopied({ length, size }: LiveRecord, map: CopiedMap): Promise<void> {
    const { maps } = areaOf(length, size);
    const bits = map.bytes;
    await this.sync();
    this.#mapSequence += 1;
    await this.#write(maps[this.#nextMap], renderLiveMap(this.#mapSequence, bits));
    await this.sync();
    this.#nextMap = this.#nextMap === 0 ? 1 : 0;
  }

  /** Takes away what maps and changes an earlier move left: they would be taken for this one's. */
  async clear({ length, size }: LiveRecord): Promise<void> {
    const { maps, changesAt } = areaOf(length, size);
    for (const place of maps) await this.#write(place, zeros.subarray(0, 4096));
    await this.#write(changesAt, zeros);
    await this.sync();
    this.#mapSequence = 0;
  }

  /**
   * Takes back that the kernel gave the store of changes up: it writes an exception into its lists when that lasts, and none any more behind an error, so that they are what they were at that
   * moment, as behind a cut. Lasting. Whether there was such a thing.
   */
  async reviveChanges({ changesAt }: LiveRecord): Promise<boolean> {
    const head = revivedHead(await this.#read(changesAt, 4096));
    if (head === undefined) return false;
    await this.#write(changesAt, head);
    await this.sync();
    return true;
  }

  /** Brings a run of the source to its place. Not lasting yet. */
  async copy(run: SectorRun, read: ReadSource, before: (bytes: number) => Promise<void>): Promise<void> {
    const [from, to] = [run.start * 512, (run.start + run.length) * 512];
    for (let at = from; at < to; at += piece) {
      const length = Math.min(piece, to - at);
      await before(length);
      const bytes = await read(at, length);
      await this.#write(at / 512, bytes);
    }
  }

  async sync(): Promise<void> {
    await this.#attempt(this.#file.datasync());
  }

  async #read(sector: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.#attempt(this.#file.read(bytes, done, length - done, sector * 512 + done));
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes;
  }

  async #write(sector: number, bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#attempt(
        this.#file.write(bytes, done, bytes.length - done, sector * 512 + done),
      );
      done += bytesWritten;
    }
  }

  async #attempt<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      throw toImprintError(Object.assign(error as NodeJS.ErrnoException, { path: this.device }));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** Where the records of a partition are: they say what else is where. */
function recordPlaces(length: number): readonly [number, number] {
  const end = Math.floor(length / 8) * 8;
  const record = liveRecordSize / 512;
  return [end - 2 * record, end - record];
}

function areaOf(length: number, size: number): LiveArea {
  const area = liveArea(length, size);
  if (area === undefined) throw new RangeError('the partition has no room for a live system that moves');
  return area;
}
