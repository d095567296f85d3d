import type { RawPath } from '../foundation/brand.ts';
import type { DataSegment, EntryType, ExtendedAttribute, Timestamp } from './entry.ts';
import { FormatError } from './format-error.ts';

/** What an archive says of one member, its content apart. Two of them share nothing; names of one file share one of these. */
export interface LayerMember {
  type: EntryType;
  mode: number;
  uid: number;
  gid: number;
  mtime: Timestamp;
  xattrs: ExtendedAttribute[];
  /** Files: length, holes counted, and where the data lies if there are holes. */
  size: number;
  segments: DataSegment[] | undefined;
  /** Symlinks: what they point at. Hard links: path of the first name, as it was written. */
  target: RawPath;
  major: number;
  minor: number;
  /** Where its content is: which layer, and which member of that, both counted from 0. */
  layer: number;
  member: number;
  /** Whether it may have several names. Set by the tree. */
  linked: boolean;
}

/** A member with its path as the archive has it. */
export interface PlacedMember {
  path: RawPath;
  member: LayerMember;
}

interface Directory {
  own: LayerMember;
  children: Map<string, Directory | LayerMember>;
}

const whiteoutPrefix = '.wh.';
const opaqueMarker = '.wh..wh..opq';
/** AUFS kept its own things under such names; nobody is meant to see them. */
const metaPrefix = '.wh..wh.';
const linkLimit = 40;
const pathLimit = 65_535;
const nameLimit = 255;
/** −1 as a number without a sign says “as it is” to chown. */
const idLimit = 0xfffffffe;

/**
 * The tree that archives make when they are unpacked one over another, as a machine would that unpacked them into one directory and could
 * not leave it: what comes later replaces what was there (a directory over a directory only its attributes), symlinks on the way to a member
 * are followed inside the tree, hard links may name files of earlier layers. With whiteouts it is the “applying changesets” of the OCI image
 * specification (layer.md): `.wh.NAME` hides NAME and `.wh..wh..opq` all that earlier layers put into its directory, wherever in their layer they
 * stand, and nothing of their own layer.
 */
export class LayerTree {
  readonly #root: Directory = { own: implicitDirectory(), children: new Map() };

  /** Lays one archive over what there is. Throws a `FormatError` for a member that cannot be placed. */
  apply(members: readonly PlacedMember[], whiteouts: boolean): void {
    const placed: PlacedMember[] = [];
    for (const each of members) {
      const name = each.path.slice(each.path.lastIndexOf('/') + 1);
      if (whiteouts && name.startsWith(whiteoutPrefix)) this.#hide(each.path, name);
      else placed.push(each);
    }
    for (const { path, member } of placed) this.add(path, member);
  }

  /** Lays one member of a plain archive over what there is. Throws a `FormatError`. */
  add(path: RawPath, member: LayerMember): void {
    check(path, member);
    const names = namesOf(path);
    const name = names.pop();
    if (name === undefined) {
      if (member.type !== 'directory') throw new FormatError('its root is no directory');
      this.#root.own = member;
      return;
    }
    const parent = this.#walk(names, path, { follow: true, make: true });
    if (parent === undefined || !isDirectory(parent)) throw new FormatError(`${path} lies below what is no directory`);
    const before = parent.children.get(name);
    if (member.type === 'directory') {
      if (before !== undefined && isDirectory(before)) before.own = member;
      else parent.children.set(ownCopy(name), { own: member, children: new Map() });
      return;
    }
    const node = member.type === 'hardlink' ? this.#linked(path, member.target) : member;
    parent.children.set(before === undefined ? ownCopy(name) : name, node);
  }

  /** Every name in the order of a manifest, the root first; names of one file have one `member`. */
  *names(): Generator<PlacedMember> {
    yield { path: '' as RawPath, member: this.#root.own };
    yield* below(this.#root);
  }

  /** What is at a path, symlinks followed inside the tree; undefined where nothing is. */
  find(path: string): LayerMember | undefined {
    const found = this.#walk(namesOf(path), path, { follow: true, make: false });
    return found === undefined || isDirectory(found) ? found?.own : found;
  }

  /** The file that a hard link names: itself, not what it may point at. */
  #linked(path: RawPath, target: RawPath): LayerMember {
    const found = this.#walk(namesOf(target), target, { follow: false, make: false });
    if (found === undefined) throw new FormatError(`the hard link ${path} names ${target}, which is not there`);
    if (isDirectory(found)) throw new FormatError(`the hard link ${path} names ${target}, which is a directory`);
    found.linked = true;
    return found;
  }

  #hide(path: RawPath, name: string): void {
    const above = path.slice(0, Math.max(0, path.length - name.length));
    if (name === opaqueMarker) {
      const directory = this.#walk(namesOf(above), path, { follow: false, make: false });
      if (directory !== undefined && isDirectory(directory)) directory.children.clear();
      return;
    }
    if (name.startsWith(metaPrefix)) return;
    const hidden = name.slice(whiteoutPrefix.length);
    if (hidden === '' || hidden === '.' || hidden === '..') throw new FormatError(`${path} hides nothing that can be`);
    const parent = this.#walk(namesOf(above), path, { follow: true, make: false });
    if (parent !== undefined && isDirectory(parent)) parent.children.delete(hidden);
  }

  /**
   * What is at a path. Symlinks on the way are followed, the last one with `follow`; `..` in a symlink's target stops at the root. With
   * `make`, directories that are missing are made.
   */
  #walk(
    names: readonly string[],
    path: string,
    { follow, make }: { follow: boolean; make: boolean },
  ): Directory | LayerMember | undefined {
    const wanted = names.toReversed();
    const way: Directory[] = [this.#root];
    for (let links = 0; wanted.length > 0; ) {
      const name = wanted.pop() ?? '';
      const here = way.at(-1) ?? this.#root;
      if (name === '..') {
        if (way.length > 1) way.pop();
        continue;
      }
      let next = here.children.get(name);
      if (next === undefined) {
        if (!make) return undefined;
        next = { own: implicitDirectory(), children: new Map() };
        here.children.set(ownCopy(name), next);
      }
      if (isDirectory(next)) way.push(next);
      else if (next.type === 'symlink' && (wanted.length > 0 || follow)) {
        links += 1;
        if (links > linkLimit) throw new FormatError(`${path} leads through too many symlinks`);
        if (next.target.startsWith('/')) way.length = 1;
        wanted.push(
          ...next.target
            .split('/')
            .filter((part) => part !== '' && part !== '.')
            .reverse(),
        );
      } else return wanted.length === 0 ? next : undefined;
    }
    return way.at(-1);
  }
}

/** The names in a member's path. Throws a `FormatError` where it would lead out of the tree, or no kernel would take it. */
function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw new FormatError(`${path} would lead out of it`);
  if (path.includes('\0')) throw new FormatError('a path holds a zero byte');
  if (path.length > pathLimit || names.some((name) => name.length > nameLimit))
    throw new FormatError(`the name ${path.slice(0, 100)}… is longer than can be`);
  return names;
}

/** All names below a directory; no recursion, since an archive may be as deep as it likes. */
function* below(top: Directory): Generator<PlacedMember> {
  const open = [{ path: '', directory: top, names: namesIn(top), next: 0 }];
  for (let here = open.at(-1); here !== undefined; here = open.at(-1)) {
    const name = here.names[here.next];
    here.next += 1;
    const child = name === undefined ? undefined : here.directory.children.get(name);
    if (name === undefined || child === undefined) {
      open.pop();
      continue;
    }
    const path = (here.path === '' ? name : `${here.path}/${name}`) as RawPath;
    if (isDirectory(child)) {
      yield { path, member: child.own };
      open.push({ path, directory: child, names: namesIn(child), next: 0 });
    } else yield { path, member: child };
  }
}

/** A part of a longer string would keep all of it in memory. */
function ownCopy(name: string): string {
  return Buffer.from(name, 'latin1').toString('latin1');
}

function namesIn(directory: Directory): string[] {
  return [...directory.children.keys()].sort();
}

/** Numbers that no manifest can hold, and what no file system would take. */
function check(path: RawPath, { uid, gid, major, minor, mtime, type, target, xattrs }: LayerMember): void {
  const inside = (value: number, limit: number) => Number.isInteger(value) && value >= 0 && value <= limit;
  const fits = inside(uid, idLimit) && inside(gid, idLimit) && inside(major, idLimit) && inside(minor, idLimit);
  if (!fits || !Number.isSafeInteger(mtime.seconds)) throw new FormatError(`${path} has a number that cannot be`);
  const linked = type === 'symlink' || type === 'hardlink';
  if (linked && (target === '' || target.includes('\0') || target.length > pathLimit))
    throw new FormatError(`${path} is a link to nothing that can be`);
  if (xattrs.some(({ name }) => name === '' || name.includes('\0')))
    throw new FormatError(`${path} has an attribute without a name`);
}

function isDirectory(node: Directory | LayerMember): node is Directory {
  return 'children' in node;
}

/** For directories that no archive names, only what lies in them. */
function implicitDirectory(): LayerMember {
  return {
    type: 'directory',
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
    xattrs: [],
    size: 0,
    segments: undefined,
    target: '' as RawPath,
    major: 0,
    minor: 0,
    layer: -1,
    member: -1,
    linked: false,
  };
}
