import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rawPath } from '../../src/foundation/brand.ts';
import { readXattrs } from '../../src/native/attributes.ts';
import { isFile, readLink } from '../../src/native/status.ts';
import { walk } from '../../src/tree/walk.ts';

/**
 * A tree as lines, one for each path with all its attributes, content and the other names of its file: equal lines are equal trees. `except`: paths
 * that are passed over, with what is in them. The time of the root itself is left out.
 */
export function treeSnapshot(root: string, except: readonly string[] = []): string[] {
  const firsts = new Map<string, string>();
  const lines: string[] = [];
  for (const { path, absolute, status } of walk(rawPath(root), { exclude: (found) => except.includes(found) })) {
    const type = status.mode & 0o170000;
    const words = [JSON.stringify(path), status.mode.toString(8), status.uid, status.gid];
    if (path !== '') words.push(`${status.mtimeSeconds}.${status.mtimeNanoseconds}`);
    if (isFile(status.mode)) words.push(status.size, hash('sha256', readFileSync(Buffer.from(absolute, 'latin1'))));
    if (type === 0o120000) words.push(`-> ${readLink(absolute)}`);
    if (type === 0o020000 || type === 0o060000) words.push(`${status.major}:${status.minor}`);
    for (const { name, value } of readXattrs(absolute)) words.push(`${name}=${Buffer.from(value).toString('hex')}`);
    if (type !== 0o040000) {
      // Names that the snapshot does not see count for nothing.
      const inode = `${status.device}:${status.inode}`;
      const first = firsts.get(inode);
      if (first === undefined) firsts.set(inode, path);
      else words.push(`same as ${first}`);
    }
    lines.push(words.join(' '));
  }
  return lines;
}

/** Lines that one of two snapshots has alone: `-` the first, `+` the second. */
export function snapshotDifference(expected: readonly string[], actual: readonly string[]): string[] {
  const [one, other] = [new Set(expected), new Set(actual)];
  return [
    ...expected.filter((line) => !other.has(line)).map((line) => `- ${line}`),
    ...actual.filter((line) => !one.has(line)).map((line) => `+ ${line}`),
  ];
}
