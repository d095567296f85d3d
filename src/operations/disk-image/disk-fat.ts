import { displayPath, type RawPath } from '../../foundation/brand.ts';
import type { Entry } from '../../image/entry.ts';
import type { FatNode } from '../../image/fat32.ts';
import { FormatError } from '../../image/format-error.ts';
import { fatAttributes } from '../../machine/fat-attributes.ts';

interface Mutable extends FatNode {
  children?: Mutable[];
}

/** Content of the root of a FAT file system: its entries (paths relative to it, the root first), with their files' bytes. */
export function fatNodes(entries: readonly Entry[], contents: ReadonlyMap<RawPath, Buffer>): FatNode[] {
  const root: Mutable = { name: '', modified: { seconds: 0, nanoseconds: 0 }, children: [] };
  const directories = new Map<string, Mutable>([['', root]]);
  for (const { path, type, mtime } of entries) {
    if (path === '') continue;
    const slash = path.lastIndexOf('/');
    const parent = directories.get(path.slice(0, Math.max(0, slash)));
    if (type !== 'file' && type !== 'directory') {
      throw new FormatError(`${displayPath(path)} is a ${type}, which FAT cannot hold`);
    }
    const name = Buffer.from(path.slice(slash + 1), 'latin1').toString('utf8');
    const node: Mutable = {
      name,
      modified: mtime,
      ...(type === 'directory' ? { children: [] } : { content: contents.get(path) ?? new Uint8Array(0) }),
    };
    parent?.children?.push(node);
    if (type === 'directory') directories.set(path, node);
  }
  return root.children ?? [];
}

/** How many entries have something that FAT does not keep, mounted with these options: other owners, modes, odd times, attributes. */
export function lostOnFat(entries: readonly Entry[], options: readonly string[]): number {
  const wanted = fatAttributes(options);
  return entries.filter(({ path, type, mode, uid, gid, mtime, xattrs, segments }) => {
    if (type !== 'file' && type !== 'directory') return true;
    const time = path === '' ? mtime.seconds === 0 : mtime.seconds % 2 === 0 && mtime.seconds >= 315_532_800;
    const modeThere = type === 'file' ? wanted.fileMode : wanted.directoryMode;
    const same = mode === modeThere && uid === wanted.uid && gid === wanted.gid;
    return !same || !time || mtime.nanoseconds !== 0 || xattrs !== undefined || segments !== undefined;
  }).length;
}
