import { rawPath } from '../src/foundation/brand.ts';
import { walk } from '../src/tree/walk.ts';

/** How large a tree is. */
export interface TreeSize {
  files: number;
  entries: number;
  /** Content, every hard link once, holes left out. */
  bytes: number;
}

/** Counts a tree. */
export function measureTree(tree: string): TreeSize {
  const size = { files: 0, entries: 0, bytes: 0 };
  const seen = new Set<string>();
  for (const { status } of walk(rawPath(tree))) {
    size.entries += 1;
    if ((status.mode & 0o170000) !== 0o100000) continue;
    size.files += 1;
    const key = `${status.device}:${status.inode}`;
    if (status.links > 1 && seen.has(key)) continue;
    if (status.links > 1) seen.add(key);
    size.bytes += Math.min(status.size, status.blocks * 512);
  }
  return size;
}
