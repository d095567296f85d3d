/**
 * Archives that the kernel unpacks as its initial file system: the “newc” format.
 * Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
 */

/** One entry of an archive; `path` is without a leading slash. Owner is always root. */
export type CpioEntry =
  | { kind: 'directory'; path: string; mode?: number }
  | { kind: 'file'; path: string; content: Uint8Array; mode?: number }
  | { kind: 'symlink'; path: string; target: string };

/** Archives may follow one another in an initrd; each is filled up to a multiple of this many bytes. */
const alignment = 512;
const headerLength = 110;

/**
 * The archive's pieces, in order, to be written one after another (large contents are not copied). The same entries give
 * the same bytes: they are sorted by path, missing parent directories are added, inode numbers count from 1, and every
 * entry has the time `mtime` (seconds since 1970).
 */
export function buildCpio(entries: readonly CpioEntry[], mtime: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let length = 0;
  let inode = 1;
  const push = (piece: Uint8Array) => {
    pieces.push(piece);
    length += piece.length;
  };
  for (const entry of [...withParents(entries), undefined]) {
    const name = Buffer.from(`${entry?.path ?? 'TRAILER!!!'}\0`, 'utf8');
    const content = entry === undefined ? new Uint8Array() : contentOf(entry);
    push(header({ inode: entry === undefined ? 0 : inode, mode: modeOf(entry), mtime, size: content.length, name }));
    push(name);
    push(padding(headerLength + name.length, 4));
    push(content);
    push(padding(content.length, 4));
    inode += 1;
  }
  push(padding(length, alignment));
  return pieces;
}

/** Zeros that fill `length` up to a multiple of `unit`. */
export function padding(length: number, unit = alignment): Uint8Array {
  return new Uint8Array((unit - (length % unit)) % unit);
}

function withParents(entries: readonly CpioEntry[]): CpioEntry[] {
  const byPath = new Map<string, CpioEntry>(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries) {
    for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
      const parent = path.slice(0, slash);
      if (!byPath.has(parent)) byPath.set(parent, { kind: 'directory', path: parent });
    }
  }
  // A directory sorts before all that lies in it, since it is a prefix of their paths.
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function contentOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.content;
  return entry.kind === 'symlink' ? Buffer.from(entry.target, 'utf8') : new Uint8Array();
}

function modeOf(entry: CpioEntry | undefined): number {
  if (entry === undefined) return 0;
  if (entry.kind === 'directory') return 0o040000 | (entry.mode ?? 0o755);
  return entry.kind === 'symlink' ? 0o120777 : 0o100000 | (entry.mode ?? 0o644);
}

interface Header {
  inode: number;
  mode: number;
  mtime: number;
  size: number;
  name: Uint8Array;
}

function header({ inode, mode, mtime, size, name }: Header): Uint8Array {
  // inode, mode, uid, gid, nlink, mtime, size, device (2), special device (2), length of the name, checksum (unused)
  const fields = [inode, mode, 0, 0, 1, mtime, size, 0, 0, 0, 0, name.length, 0];
  return Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`, 'latin1');
}
