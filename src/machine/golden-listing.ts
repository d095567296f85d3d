import type { RawPath } from '../foundation/brand.ts';
import type { Timestamp } from '../image/entry.ts';
import { parseKernelSeconds } from '../image/timestamp.ts';

/** What GNU find said of one path of the golden machine. */
export interface ListedPath {
  /** Relative to the root of the capture, which itself is the empty path. */
  path: RawPath;
  /** As `%y`: `f` file, `d` directory, `l` symlink, `b`, `c`, `p` fifo, `s` socket. */
  type: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  mtime: Timestamp;
  ctime: Timestamp;
  inode: string;
  /** Number of the file system, decimal. */
  device: string;
  links: number;
}

/**
 * For `find -printf`: fields that hold no space, and the path up to a NUL. Symlinks' targets come with their content, by tar.
 * Nanoseconds are as the kernel has them (`parseKernelSeconds`).
 */
export const listingFormat = '%y %m %U %G %s %T@ %C@ %i %D %n %p\\0';

/** Turns the output of `find . -printf` with `listingFormat` into records, piece by piece. */
export class ListingParser {
  #rest = '';
  /** Few file systems, many paths: one string for each. */
  readonly #devices = new Map<string, string>();

  /** Records that `piece` completes. `problem` names output that is none of ours (a find that is not GNU's). */
  push(piece: Uint8Array): ListedPath[] | { problem: string } {
    const text = this.#rest + Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('latin1');
    const records = text.split('\0');
    this.#rest = records.pop() ?? '';
    const listed: ListedPath[] = [];
    for (const record of records) {
      const parsed = parseRecord(record, this.#devices);
      if (parsed === undefined) return { problem: `find said “${record.slice(0, 120)}”` };
      listed.push(parsed);
    }
    return listed;
  }

  /** True where the output ended in the middle of a record. */
  get incomplete(): boolean {
    return this.#rest !== '';
  }
}

const recordPattern =
  /^(\S) ([0-7]{1,4}) (\d+) (\d+) (\d+) (-?\d+\.\d+) (-?\d+\.\d+) (\d+) (\d+) (\d+) \.(?:\/(.*))?$/s;

function parseRecord(record: string, devices: Map<string, string>): ListedPath | undefined {
  const match = recordPattern.exec(record);
  if (match === null) return undefined;
  const [, type = '', mode = '', uid, gid, size, mtimeText = '', ctimeText = '', inode = '', device = '', links] =
    match;
  const mtime = parseKernelSeconds(mtimeText);
  const ctime = parseKernelSeconds(ctimeText);
  if (mtime === undefined || ctime === undefined) return undefined;
  const known = devices.get(device) ?? device;
  if (known === device) devices.set(device, device);
  return {
    path: (match[11] ?? '') as RawPath,
    type,
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    size: Number(size),
    mtime,
    ctime,
    inode,
    device: known,
    links: Number(links),
  };
}
