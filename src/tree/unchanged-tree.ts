import { statfsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { RawPath } from '../foundation/brand.ts';
import { type FileStatus, status } from '../native/status.ts';
import { deviceOf, StatusProbe } from '../native/status-probe.ts';
import { type HintReader, mix, nameHead, rowWords, substituteMark } from './capture-hints.ts';

export interface UnchangedOptions {
  /** Absolute path of the root. */
  directory: RawPath;
  hints: HintReader;
  /** As `CaptureDirectoryOptions.snapshot` has them. */
  devices?: ReadonlyMap<number, number>;
  signal: AbortSignal;
}

/** The longest path that is looked at; a tree with longer ones is walked. */
const longestPath = 4000;
/** Rows between two looks at whether to go on. */
const rowsAtOnce = 16_384;

/**
 * File systems on which the change time of a directory tells of every name that comes or goes (linux/magic.h): ext2–4, xfs, btrfs, tmpfs, f2fs,
 * squashfs, erofs, overlayfs, ZFS, bcachefs. Elsewhere (FAT, the network) a tree is walked.
 */
const trusted = new Set([
  0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0xf2f5_2010, 0x7371_7368, 0xe0f5_e1e2, 0x794c_7630, 0x2fc1_2fc1,
  0xca45_1a4e,
]);

/**
 * Whether a tree is, by what the hints of an earlier capture say, to the last entry what it was then. No directory is read: one that did
 * not change holds the names that it held; each of them is looked at. False at the first that differs, or where it cannot be told.
 */
export async function isUnchanged(options: UnchangedOptions): Promise<boolean> {
  const { hints, directory } = options;
  const { rows, names } = hints;
  const probe = StatusProbe.create();
  if (probe === undefined || rows.length === 0 || names.length === 0) return false;
  if (!isTrusted(directory) || !sameRoot(hints, status(directory), options.devices)) return false;
  const pass = new Pass(options, probe);
  const count = rows.length / rowWords;
  // The root's own name is empty.
  let at = nameHead;
  for (let row = 1; row < count; row += 1) {
    if (row % rowsAtOnce === 0) {
      await setImmediate();
      options.signal.throwIfAborted();
    }
    const next = pass.entry(row, at);
    if (next < 0) return false;
    at = next;
  }
  return at === names.length;
}

/** Reads hints alongside the tree, and keeps the path of the entry that it is at. */
class Pass {
  readonly #rows: Uint32Array;
  readonly #names: Buffer;
  readonly #devices: ReadonlyMap<number, number> | undefined;
  readonly #probe: StatusProbe;
  /** By depth: where the names of that depth begin in the path. */
  readonly #starts = new Uint32Array(longestPath + 1);
  #depth = 0;
  #end: number;
  /** Devices of the file systems that may be trusted. */
  readonly #trusted = new Set<number>();
  #lastDevice = { low: -1, high: -1, real: -1 };

  constructor({ hints, directory, devices }: UnchangedOptions, probe: StatusProbe) {
    this.#rows = hints.rows;
    this.#names = hints.names;
    this.#devices = devices;
    this.#probe = probe;
    const base = directory === '/' ? '' : directory;
    this.#end = base.length;
    if (base.length < longestPath) Buffer.from(base, 'latin1').copy(probe.path);
    this.#trusted.add(this.#rows[5] as number);
  }

  /** Compares the entry whose name is said at `at`; where the next is said, −1 where it differs. */
  entry(row: number, at: number): number {
    const names = this.#names;
    const starts = this.#starts;
    const depth = (names[at] as number) + (names[at + 1] as number) * 256;
    const from = at + nameHead;
    const to = from + (names[at + 2] as number) + (names[at + 3] as number) * 256;
    // One level more than before: what came before is the directory.
    if (depth < 1 || depth > this.#depth + 1 || depth > longestPath) return -1;
    if (depth > this.#depth) starts[depth] = this.#end;
    this.#depth = depth;
    let end = starts[depth] as number;
    if (end + to - from > longestPath || to > names.length) return -1;
    const { path, words } = this.#probe;
    path[end] = 0x2f;
    end += 1;
    for (let index = from; index < to; index += 1, end += 1) path[end] = names[index] as number;
    path[end] = 0;
    this.#end = end;
    return this.#probe.look() && this.#same(row, words) ? to : -1;
  }

  /** The row that `struct stat` would give, compared number by number with that of the hints. */
  #same(row: number, words: Uint32Array): boolean {
    const { inode, ctime, mtime, size, mode, uid, gid, device } = this.#probe.layout;
    const rows = this.#rows;
    const at = row * rowWords;
    if (rows[at + 4] !== words[ctime + 2] || rows[at + 2] !== words[ctime] || rows[at] !== words[inode]) return false;
    if (rows[at + 1] !== words[inode + 1] || rows[at + 3] !== words[ctime + 1]) return false;
    let seal = mix(mix(mix(0, words[mode] as number), words[uid] as number), words[gid] as number);
    seal = mix(mix(seal, words[size] as number), words[size + 1] as number);
    seal = mix(mix(mix(seal, words[mtime] as number), words[mtime + 1] as number), words[mtime + 2] as number);
    const known = (rows[at + 6] as number) ^ seal;
    if (known !== 0 && known !== substituteMark) return false;
    return rows[at + 5] === this.#device(words[device] as number, words[device + 1] as number);
  }

  /** The device as the hints have it; −1 where its file system is not to be trusted. */
  #device(low: number, high: number): number {
    const last = this.#lastDevice;
    if (last.low === low && last.high === high) return last.real;
    const seen = deviceOf(low, high);
    let real = (this.#devices?.get(seen) ?? seen) >>> 0;
    if (!this.#trusted.has(real)) {
      const path = Buffer.from(this.#probe.path.subarray(0, this.#end));
      if (isTrusted(path.toString('latin1') as RawPath)) this.#trusted.add(real);
      else real = -1;
    }
    this.#lastDevice = { low, high, real };
    return real;
  }
}

function sameRoot(hints: HintReader, top: FileStatus, devices: UnchangedOptions['devices']): boolean {
  return hints.matches(0, { ...top, device: devices?.get(top.device) ?? top.device });
}

function isTrusted(path: RawPath): boolean {
  try {
    return trusted.has(statfsSync(Buffer.from(path, 'latin1')).type >>> 0);
  } catch {
    return false;
  }
}
