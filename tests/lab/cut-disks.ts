import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/foundation/clock.ts';
import { unmountTree } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type Cut, type Region, unflushed } from './cut-plan.ts';
import type { WriteLog } from './write-log.ts';

const minute = 60_000;
const zeros = Buffer.alloc(1 << 20);

/**
 * Makes disks as power cuts leave them, from the disk as it was and the log of what was written to it. They lie on an xfs of its own, where
 * a copy takes no time and no space (reflink), whatever file system this computer has. Cuts must come in the order of their moments.
 */
export class CutDisks implements AsyncDisposable {
  /** A directory on that xfs. */
  readonly directory: string;
  readonly #work: string;
  readonly #log: WriteLog;
  readonly #flushed: FileHandle;
  /** Entries that are in the flushed disk. */
  #applied = 0;

  private constructor(work: string, directory: string, log: WriteLog, flushed: FileHandle) {
    this.#work = work;
    this.directory = directory;
    this.#log = log;
    this.#flushed = flushed;
  }

  /** `base`: the raw disk as it was when the log began; it is copied. */
  static async open(base: string, log: WriteLog): Promise<CutDisks> {
    const work = await mkdtemp(join(tmpdir(), 'imprint-cuts-'));
    const [image, directory] = [join(work, 'xfs.img'), join(work, 'disks')];
    await mkdir(directory);
    await run('truncate', ['--size', '64G', image]);
    await run('mkfs.xfs', ['-q', '-m', 'reflink=1', image]);
    try {
      await run('mount', ['-o', 'loop,discard', image, directory]);
      const flushed = join(directory, 'flushed.raw');
      await run('cp', ['--sparse=always', base, flushed]);
      return new CutDisks(work, directory, log, await open(flushed, 'r+'));
    } catch (error) {
      await run('umount', ['--lazy', directory]).catch(() => {});
      await rm(work, { recursive: true, force: true });
      throw error;
    }
  }

  /** The disk after a cut, as a raw file that is the caller's to change. It goes with `await using`. */
  async make(cut: Cut): Promise<AsyncDisposable & { readonly path: string }> {
    const { entries } = this.#log;
    const pending = new Set(unflushed(entries, cut.after));
    const flushedTo = Math.min(cut.after, ...pending);
    if (flushedTo < this.#applied) throw new Error('cuts are made in the order of their moments');
    for (; this.#applied < flushedTo; this.#applied += 1) await this.#apply(this.#flushed, this.#applied);
    const path = join(this.directory, `cut-${cut.after}-${Math.random().toString(36).slice(2)}.raw`);
    await run('cp', ['--reflink=always', join(this.directory, 'flushed.raw'), path]);
    await using disk = await open(path, 'r+');
    const lost = new Set(cut.lost);
    for (let index = flushedTo; index < cut.after; index += 1) {
      if (lost.has(index)) continue;
      const torn = cut.torn?.entry === index ? cut.torn.sectors : undefined;
      await this.#apply(disk, index, torn);
    }
    return { path, [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  }

  /** What a region holds after a cut, told apart by its history and not by its bytes: equal keys, equal bytes. */
  keyOf(cut: Cut, region: Region): string {
    const lost = new Set(cut.lost);
    const hash = createHash('sha256');
    for (let index = 0; index < cut.after; index += 1) {
      const entry = this.#log.entries[index];
      if (entry === undefined || lost.has(index) || entry.length === 0) continue;
      if (entry.offset >= region.to || entry.offset + entry.length <= region.from) continue;
      hash.update(cut.torn?.entry === index ? `${index}:${cut.torn.sectors.join()} ` : `${index} `);
    }
    return hash.digest('hex');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flushed.close();
    await unmountTree(systemProcesses, this.directory, systemClock);
    await rm(this.#work, { recursive: true, force: true });
  }

  async #apply(disk: FileHandle, index: number, sectors?: readonly number[]): Promise<void> {
    const entry = this.#log.entries[index];
    if (entry === undefined || entry.kind === 'flush' || entry.kind === 'mark') return;
    if (entry.kind === 'discard') return zero(disk, entry.offset, entry.length);
    const data = await this.#log.data(entry);
    if (sectors === undefined) await disk.write(data, 0, data.length, entry.offset);
    for (const sector of sectors ?? []) await disk.write(data, sector * 512, 512, entry.offset + sector * 512);
  }
}

/** A discarded range reads as zeros, but is not filled where it is a hole already. */
async function zero(disk: FileHandle, offset: number, length: number): Promise<void> {
  const found = Buffer.alloc(zeros.length);
  for (let done = 0; done < length; done += zeros.length) {
    const piece = Math.min(zeros.length, length - done);
    const { bytesRead } = await disk.read(found, 0, piece, offset + done);
    if (found.compare(zeros, 0, bytesRead, 0, bytesRead) !== 0) await disk.write(zeros, 0, piece, offset + done);
  }
}

async function run(tool: string, args: readonly string[]): Promise<void> {
  await systemProcesses.run(tool, args, { timeout: 5 * minute });
}
