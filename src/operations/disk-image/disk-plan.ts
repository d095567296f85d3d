import { hash } from 'node:crypto';
import type { Digest, RawPath } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { uuidFromHash } from '../../foundation/hash-uuid.ts';
import type { Task } from '../../foundation/task.ts';
import type { Entry } from '../../image/entry.ts';
import type { Ext4Tree } from '../../image/ext4/tree.ts';
import { FormatError } from '../../image/format-error.ts';
import { type LayoutAnswer, layOutImage, type NameMaker } from '../../machine/disk-layout.ts';
import { type DiskTable, tableFor, wholeMebibytes } from '../../machine/disk-table.ts';
import { parseFstab } from '../../machine/fstab-entries.ts';
import { type ImageContent, readImageContent } from '../../machine/image-content.ts';
import type { Store, StoredVersion } from '../../store/store.ts';
import { readContents } from '../read-contents.ts';
import { DiskTrees, type PartitionContent } from './disk-trees.ts';

/** A disk image before anything of it is written. */
export interface DiskPlan {
  table: DiskTable;
  contents: PartitionContent[];
  image: ImageContent;
  names: NameMaker;
  entries: number;
  notes: string[];
}

const mebibyte = 2 ** 20;
const bytesPerInode = 16_384;
const inodeBytes = 256;

/**
 * Reads a version and lays out its disk. Throws a `FormatError` that says why there can be none.
 *
 * @param size bytes of the whole disk; absent: what the content needs, and a quarter or 512 MiB to live in
 */
export async function planDisk(
  store: Store,
  version: StoredVersion,
  size: number | undefined,
  task: Task,
): Promise<DiskPlan> {
  const digest = version.record.digest as Digest;
  const directories = new Set<string>();
  let fstabEntry: Entry | undefined;
  const image = await readImageContent(
    watching(store.entries(digest), (entry) => {
      if (entry.type === 'directory') directories.add(entry.path);
      if (entry.path === 'etc/fstab' && entry.type === 'file') fstabEntry = entry;
    }),
  );
  const fstab =
    fstabEntry && (await readContents(store, digest, [fstabEntry], task.signal)).get('etc/fstab' as RawPath);
  const names: NameMaker = (role) => uuidFromHash(hash('sha256', `${digest} ${role}`));
  const answer = layOutImage(parseFstab(fstab?.toString('latin1') ?? ''), version.record.source, names, (path) =>
    directories.has(path),
  );
  const { partitions, notes } = accepted(answer);
  const trees = new DiskTrees(partitions);
  let entries = 0;
  for await (const batch of store.entries(digest)) {
    task.signal.throwIfAborted();
    for (const entry of batch) trees.add(entry);
    entries += batch.length;
  }
  const { contents } = trees;
  const boot = { bios: names('partition bios'), esp: names('partition esp') };
  const sizes = contents.map((content) => ({ partition: content.partition, size: sizeOf(content) }));
  const table = tableFor(names('table'), boot, sizes);
  if (size === undefined) return { table, contents, image, names, entries, notes };
  const whole = Math.floor(size / mebibyte) * mebibyte;
  const root = sizes.at(-1);
  const tree = contents.at(-1)?.tree;
  if (root === undefined || tree === undefined) throw new RangeError('the root is not the last partition');
  const least = table.size - root.size + ext4Size(tree, 0);
  if (whole < least) {
    throw new FormatError(
      `a disk of ${formatBytes(size)} is too small: its content needs ${formatBytes(least)} at least`,
    );
  }
  root.size += whole - table.size;
  return { table: tableFor(names('table'), boot, sizes), contents, image, names, entries, notes };
}

/** Inodes for a file system of this size: as many as mke2fs would make, and half as many again as there are now. */
export function inodesFor(tree: Ext4Tree, size: number): number {
  return Math.max(Math.floor(size / bytesPerInode), Math.ceil(tree.inodes * 1.5) + 1024);
}

/** Bytes of the journal of a file system of this size. */
export function journalFor(size: number): number {
  return (size < 2 ** 30 ? 16 : 64) * mebibyte;
}

function sizeOf({ partition, tree, entries }: PartitionContent): number {
  if (tree !== undefined) return ext4Size(tree, Math.max(512 * mebibyte, tree.blocks * 1024));
  if (entries !== undefined) {
    const content = entries.reduce((sum, entry) => sum + (entry.size ?? 0) + 32_768, 0);
    return wholeMebibytes(Math.max(64 * mebibyte, content * 1.25));
  }
  return wholeMebibytes(partition.size ?? 0);
}

/** Bytes of a file system that holds a tree and has `free` bytes to spare. */
function ext4Size(tree: Ext4Tree, free: number): number {
  const content = tree.blocks * 4096 + free;
  const inodes = (Math.ceil(tree.inodes * 1.5) + 1024) * inodeBytes;
  // A hundredth for bitmaps, descriptors and their growth; a sixty-fourth where inodes come by size.
  const size =
    (content + inodes + journalFor(content + 64 * mebibyte) + 16 * mebibyte) / (1 - 0.01 - inodeBytes / bytesPerInode);
  return wholeMebibytes(Math.max(size, 128 * mebibyte));
}

function accepted(answer: LayoutAnswer) {
  if (answer.kind === 'layout') return answer.layout;
  throw new FormatError(answer.problem, { cause: answer.hint });
}

async function* watching(batches: AsyncIterable<Entry[]>, see: (entry: Entry) => void): AsyncGenerator<Entry[]> {
  for await (const batch of batches) {
    for (const entry of batch) see(entry);
    yield batch;
  }
}
