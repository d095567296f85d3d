import { displayPath, type RawPath } from '../../foundation/brand.ts';
import type { Entry } from '../../image/entry.ts';
import { Ext4Tree } from '../../image/ext4/tree.ts';
import { FormatError } from '../../image/format-error.ts';
import type { ImagePartition } from '../../machine/disk-layout.ts';

/** What lies on one partition. */
export interface PartitionContent {
  partition: ImagePartition;
  /** On ext4. */
  tree?: Ext4Tree;
  /** On FAT: entries with paths relative to its root, which comes first. */
  entries?: Entry[];
}

/**
 * Deals the entries of a version out to the partitions of its disk. A mount point is an empty directory on the file system above, with
 * the attributes of what is mounted there. Throws a `FormatError` for what a file system cannot hold.
 */
export class DiskTrees {
  readonly contents: PartitionContent[];
  readonly #mounted: { prefix: string; content: PartitionContent }[];
  readonly #root: PartitionContent;

  constructor(partitions: readonly ImagePartition[]) {
    this.contents = partitions.map((partition) => {
      if (partition.kind === 'swap') return { partition };
      return partition.kind === 'fat' ? { partition, entries: [] } : { partition, tree: new Ext4Tree() };
    });
    this.#root = this.contents.find(({ partition }) => partition.kind === 'root') as PartitionContent;
    this.#mounted = this.contents
      .filter(({ partition }) => (partition.mountPoint ?? '') !== '')
      .map((content) => ({ prefix: content.partition.mountPoint ?? '', content }))
      .sort((left, right) => right.prefix.length - left.prefix.length);
  }

  /** Entries come in the order of the manifest. */
  add(entry: Entry): void {
    const mounted = this.#mounted.find(({ prefix }) => entry.path === prefix || entry.path.startsWith(`${prefix}/`));
    if (mounted === undefined) {
      this.#root.tree?.add(entry);
      return;
    }
    const inside = entry.path.slice(mounted.prefix.length + 1) as RawPath;
    const { tree, entries } = mounted.content;
    if (inside === '') this.#holder(mounted.prefix).add({ ...entry, type: 'directory' });
    tree?.add({ ...entry, ...targetWithin(entry, mounted.prefix) }, inside);
    entries?.push({ ...entry, path: inside });
  }

  /** The tree that has the mount point as a directory of its own. */
  #holder(prefix: string): { add(entry: Entry): void } {
    const above = this.#mounted.find((other) => prefix.startsWith(`${other.prefix}/`));
    const tree = above === undefined ? this.#root.tree : above.content.tree;
    if (tree === undefined)
      throw new FormatError(`/${displayPath(prefix as RawPath)} lies on FAT, where nothing can be mounted`);
    const cut = above === undefined ? 0 : above.prefix.length + 1;
    return { add: (entry) => tree.add(entry, entry.path.slice(cut) as RawPath) };
  }
}

/** The first name of a hard link, as its own file system knows it. */
function targetWithin({ type, target, path }: Entry, prefix: string): Pick<Entry, 'target'> {
  if (type !== 'hardlink' || target === undefined) return {};
  if (!target.startsWith(`${prefix}/`)) {
    throw new FormatError(`/${displayPath(path)}: it is a hard link to a file on another partition`);
  }
  return { target: target.slice(prefix.length + 1) as RawPath };
}
