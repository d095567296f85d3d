import type { RawPath } from '../../../foundation/brand.ts';
import { type Entry, typeOfMode } from '../../../image/entry.ts';
import type { FileStatus } from '../../../native/status.ts';
import { readLink } from '../../../native/status.ts';
import { ContentCheck } from '../../../tree/check-content.ts';
import { hasAttributes, hasTime, isOfKind } from '../../../tree/entry-attributes.ts';
import type { WalkedEntry } from '../../../tree/walk.ts';
import { identityOf } from './entry-cursor.ts';

/** What a path differs in from a version, in words for people. */
export type LocalDifference = 'type' | 'content' | 'attributes' | 'target' | 'links';

/**
 * Compares what is there with entries of a version, by its status: same size and time is the same content; only where just the time differs the content
 * is read. The time of what is no file tells nothing and is passed over.
 */
export class LocalComparer {
  readonly #check = new ContentCheck();
  readonly #linked: ReadonlyMap<RawPath, Entry>;
  /** By the first name of a file with several: device and inode that it has here. */
  readonly #firsts = new Map<RawPath, string>();

  constructor(linked: ReadonlyMap<RawPath, Entry>) {
    this.#linked = linked;
  }

  /** Must see everything that is there, in order. */
  see({ path, status }: WalkedEntry): void {
    if (this.#linked.has(path)) this.#firsts.set(path, inodeOf(status));
  }

  /** What is different; empty where it is as the entry says. */
  differences(entry: Entry, walked: WalkedEntry): LocalDifference[] {
    const { status, absolute } = walked;
    const identity = identityOf(entry, this.#linked);
    const type = typeOfMode(status.mode);
    if (type !== identity.type) return ['type'];
    const found: LocalDifference[] = [];
    if (entry.type === 'hardlink' && this.#firsts.get(entry.target as RawPath) !== inodeOf(status)) found.push('links');
    if (type === 'symlink' && readLink(absolute) !== identity.target) found.push('target');
    else if (!isOfKind(identity, absolute, status)) found.push('type');
    const mtime = { seconds: status.mtimeSeconds, nanoseconds: status.mtimeNanoseconds };
    if (!hasAttributes({ ...identity, mtime }, absolute, status)) found.push('attributes');
    if (type === 'file' && !this.#hasContent(identity, walked)) found.push('content');
    return found;
  }

  #hasContent(entry: Entry, { status, absolute }: WalkedEntry): boolean {
    if (status.size !== (entry.size ?? 0)) return false;
    return hasTime(entry, status) || this.#check.differing(absolute, entry)?.length === 0;
  }
}

/** Which file a name names: device and inode in one word. */
export function inodeOf({ device, inode }: FileStatus): string {
  return `${device}:${inode}`;
}
