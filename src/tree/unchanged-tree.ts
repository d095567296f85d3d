import { statfsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { RawPath } from '../foundation/brand.ts';
import { close, open, openFlags } from '../native/files.ts';
import { type FileStatus, status } from '../native/status.ts';
import { StatusProbe } from '../native/status-probe.ts';
import { type HintReader, mix, rowWords, substituteMark } from './capture-hints.ts';

export interface UnchangedOptions {
  /** Absolute path of the root. */
  directory: RawPath;
  hints: HintReader;
  /** As `CaptureDirectoryOptions.snapshot` has them. */
  devices?: ReadonlyMap<number, number>;
  signal: AbortSignal;
}

/** Levels that are open at once, at most; a deeper tree is walked. */
const mostLevels = 500;
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
  if (rows.length === 0 || names.length === 0) return false;
  const top = status(directory);
  if (!isTrusted(directory) || !sameRoot(hints, top, options.devices)) return false;
  const look = new Pass(options, names, open(directory, openFlags.readOnly | openFlags.directory));
  try {
    const count = rows.length / rowWords;
    // The root's own name is three bytes long: its depth and the closing zero.
    let at = 3;
    for (let row = 1; row < count; row += 1) {
      if (row % rowsAtOnce === 0) {
        await setImmediate();
        options.signal.throwIfAborted();
      }
      const length = look.entry(row, at);
      if (length < 0) return false;
      at += length;
    }
    return at === names.length;
  } finally {
    look.close();
  }
}

/** Reads hints alongside the tree: the directories above the entry that it is at are open. */
class Pass {
  readonly #rows: Uint32Array;
  readonly #names: Buffer;
  readonly #devices: ReadonlyMap<number, number> | undefined;
  readonly #probe: StatusProbe;
  readonly #open: number[];
  /** Devices of the file systems that may be trusted. */
  readonly #seen = new Set<number>();
  #lastName = 0;

  constructor(options: UnchangedOptions, names: Buffer, root: number) {
    this.#rows = options.hints.rows;
    this.#names = names;
    this.#devices = options.devices;
    this.#probe = new StatusProbe(names);
    this.#open = [root];
    this.#seen.add(this.#rows[5] as number);
  }

  /** Compares the entry whose name begins at `at`; the length of what the names say of it, −1 where it differs. */
  entry(row: number, at: number): number {
    const end = this.#names.indexOf(0, at + 2);
    if (end < 0) return -1;
    const depth = this.#names.readUInt16LE(at);
    const levels = this.#open;
    while (levels.length > depth) close(levels.pop() as number);
    if (levels.length < depth) {
      if (levels.length + 1 !== depth || depth > mostLevels) return -1;
      const fd = this.#probe.open(levels.at(-1), this.#lastName);
      if (fd < 0) return -1;
      levels.push(fd);
    }
    const name = at + 2;
    this.#lastName = name;
    if (!this.#probe.look(levels[levels.length - 1] as number, name) || !this.#same(row)) return -1;
    return end + 1 - at;
  }

  close(): void {
    for (const fd of this.#open.splice(0)) close(fd);
  }

  /** The row that `struct statx` would give, compared number by number with that of the hints. */
  #same(row: number): boolean {
    const { words } = this.#probe;
    const rows = this.#rows;
    const at = row * rowWords;
    if (rows[at + 4] !== words[26] || rows[at + 2] !== words[24] || rows[at] !== words[8]) return false;
    if (rows[at + 1] !== words[9] || rows[at + 3] !== words[25]) return false;
    let seal = mix(mix(mix(0, (words[7] as number) & 0xffff), words[5] as number), words[6] as number);
    seal = mix(mix(seal, words[10] as number), words[11] as number);
    seal = mix(mix(mix(seal, words[28] as number), words[29] as number), words[30] as number);
    const known = (rows[at + 6] as number) ^ seal;
    if (known !== 0 && known !== substituteMark) return false;
    const device = (words[34] as number) * 0x10_0000 + (words[35] as number);
    const real = (this.#devices?.get(device) ?? device) >>> 0;
    return rows[at + 5] === real && (this.#seen.has(real) || this.#enter(real));
  }

  /** The first entry of another file system. */
  #enter(device: number): boolean {
    const parent = this.#open.at(-1) ?? -1;
    const name = this.#names.toString('latin1', this.#lastName, this.#names.indexOf(0, this.#lastName));
    if (!isTrusted(`/proc/self/fd/${parent}/${name}` as RawPath)) return false;
    this.#seen.add(device);
    return true;
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
