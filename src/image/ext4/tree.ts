import { displayPath, type RawPath } from '../../foundation/brand.ts';
import type { ChunkReference, DataSegment, Entry } from '../entry.ts';
import { FormatError } from '../format-error.ts';
import { type StoredAttributes, storeAttributes } from './attributes.ts';
import { DirectoryMeasure } from './directory.ts';
import { extentBlocksFor, longestExtent } from './extents.ts';
import { blockSize } from './geometry.ts';
import type { InodeFields } from './inode.ts';

/** An inode to be: an entry of the version that is no further hard link. */
export interface Node extends Pick<InodeFields, 'number' | 'type' | 'mode' | 'uid' | 'gid' | 'mtime' | 'links'> {
  size: number;
  attributes: StoredAttributes;
  /** Files: where data lies, in blocks of the file; and the content that fills `segments` in order. */
  runs: { logical: number; count: number }[];
  segments: readonly DataSegment[];
  chunks: readonly ChunkReference[];
  /** Symlinks. */
  target: string;
  major: number;
  minor: number;
  /** Directories: what is in it, in order. */
  children: { name: string; node: Node }[];
  parent: Node | undefined;
  measure: DirectoryMeasure | undefined;
}

export const rootInode = 2;
export const lostAndFoundInode = 11;
const firstInode = 12;
const mostLinks = 65_000;
/** One empty list for all that have nothing in it: most of a million files. Never added to. */
const nothing: never[] = [];
/** mke2fs gives `lost+found` as much, so that fsck need not find room for what it finds. */
const lostAndFoundBlocks = 4;

/** A tree as inodes and what they need, before there is a file system to put them in. */
export class Ext4Tree {
  /** By their numbers, rising, but for `lost+found`. */
  readonly nodes: Node[] = [];
  /** Whether the tree has a `lost+found` of its own. */
  hasLostAndFound = false;
  /** Bytes of content. */
  bytes = 0;
  #next = firstInode;
  readonly #byPath = new Map<string, Node>();

  /**
   * Adds an entry; they come in the order of a manifest, the root first. `path` is relative to this file system. Throws a `FormatError`
   * for what ext4 cannot hold.
   */
  add(entry: Entry, path: RawPath = entry.path): void {
    try {
      this.#add(entry, path);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new FormatError(`/${displayPath(entry.path)}: ${error.message}`, { cause: error });
    }
  }

  /** Inode numbers that are needed. */
  get inodes(): number {
    return this.#next - 1;
  }

  /** Blocks that are needed beside what mke2fs takes: rather some too many. */
  get blocks(): number {
    let total = 0;
    for (const node of this.nodes) {
      const data = node.runs.reduce((sum, { count }) => sum + count, 0);
      // A run is broken where a group of blocks ends, at the worst at both ends of each.
      const extents = node.runs.length + Math.ceil(data / longestExtent) * 2;
      total += data + (extents > 4 ? extentBlocksFor(extents) : 0) + (node.attributes.block === undefined ? 0 : 1);
      total += directoryBlocks(node) + (isLongTarget(node) ? 1 : 0);
    }
    return total;
  }

  #add(entry: Entry, path: RawPath): void {
    const slash = path.lastIndexOf('/');
    const parent = path === '' ? undefined : this.#byPath.get(path.slice(0, Math.max(slash, 0)));
    if (path !== '' && parent === undefined) throw new FormatError('its directory is missing');
    const node = entry.type === 'hardlink' ? this.#first(entry) : this.#make(entry, entry.type, path, parent);
    this.#byPath.set(path, node);
    if (entry.type === 'hardlink') {
      node.links += 1;
      if (node.links > mostLinks) throw new FormatError(`it has more than ${mostLinks} names`);
    }
    if (parent === undefined) return;
    const name = path.slice(slash + 1);
    parent.children.push({ name, node });
    parent.measure?.add(name.length);
    if (node.type === 'directory') parent.links += 1;
  }

  #first({ target }: Entry): Node {
    const node = this.#byPath.get(target ?? '');
    if (node === undefined || node.type === 'directory')
      throw new FormatError('the file that it is a link to is not here');
    return node;
  }

  #make(entry: Entry, type: Node['type'], path: RawPath, parent: Node | undefined): Node {
    const { mode, uid, gid, mtime, target = '', major = 0, minor = 0 } = entry;
    const isDirectory = type === 'directory';
    const size = entry.size ?? 0;
    const segments = entry.segments ?? (size === 0 ? nothing : [{ offset: 0, length: size }]);
    const node: Node = {
      ...{ number: this.#number(path, isDirectory), type, mode, uid, gid, mtime },
      ...{ links: isDirectory ? 2 : 1, size: type === 'symlink' ? target.length : size },
      attributes: storeAttributes(entry.xattrs ?? nothing),
      ...{ runs: runsOf(segments), segments, chunks: entry.chunks ?? nothing, target, major, minor },
      ...{ children: isDirectory ? [] : nothing, parent, measure: isDirectory ? new DirectoryMeasure() : undefined },
    };
    if (target.length >= blockSize) throw new FormatError('what it points at is too long');
    this.bytes += segments.reduce((sum, { length }) => sum + length, 0);
    this.nodes.push(node);
    return node;
  }

  #number(path: RawPath, isDirectory: boolean): number {
    if (path === '') return rootInode;
    if (path === 'lost+found' && isDirectory) {
      this.hasLostAndFound = true;
      return lostAndFoundInode;
    }
    this.#next += 1;
    return this.#next - 1;
  }
}

/** Blocks of a directory; 0 for anything else. */
export function directoryBlocks({ measure, number }: Node): number {
  if (measure === undefined) return 0;
  return number === lostAndFoundInode ? Math.max(lostAndFoundBlocks, measure.blocks) : measure.blocks;
}

/** A symlink whose target does not fit into its inode. */
export function isLongTarget({ type, target }: Node): boolean {
  return type === 'symlink' && target.length >= 60;
}

/** Segments of bytes as runs of blocks; two that meet in a block are one. */
function runsOf(segments: readonly DataSegment[]): Node['runs'] {
  if (segments.length === 0) return nothing;
  const runs: Node['runs'] = [];
  for (const { offset, length } of segments) {
    const first = Math.floor(offset / blockSize);
    const end = Math.ceil((offset + length) / blockSize);
    const last = runs.at(-1);
    if (last !== undefined && first <= last.logical + last.count) last.count = Math.max(last.count, end - last.logical);
    else runs.push({ logical: first, count: end - first });
  }
  return runs;
}
