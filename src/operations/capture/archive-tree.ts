import { displayPath, type RawPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { ChunkReference, Entry } from '../../image/entry.ts';
import { FormatError } from '../../image/format-error.ts';
import { type LayerMember, LayerTree, type PlacedMember } from '../../image/layer-tree.ts';
import type { TarMember } from '../../image/tar.ts';
import type { ListedPath } from '../../machine/golden-listing.ts';
import { type Selection, type SelectionRules, selectPaths } from '../../machine/selection.ts';
import { type ArchiveLayer, type LayerReading, readLayer } from './archive-layer.ts';
import type { ContentSink } from './golden-archive.ts';

/** What the first reading of a source's layers showed; nothing of it was stored. */
export interface ArchiveListing {
  tree: LayerTree;
  /** SHA-256 of each layer's tar. */
  hashes: string[];
  /** Paths of members whose ACL could not be taken over. */
  lostAcls: RawPath[];
  /** Texts of small files that tell of the system, by their member. */
  texts: ReadonlyMap<LayerMember, string>;
}

/** Files whose text says what system it is. */
const tellingPaths: ReadonlySet<string> = new Set(['etc/os-release', 'usr/lib/os-release', 'etc/hostname']);
const tellingLength = 65_536;

/**
 * Reads all layers for their names and attributes, and lays them one over another. Every byte is read and every digest checked, so
 * that what is stored afterwards is known to be good, and known to be wanted.
 */
export async function listLayers(
  layers: readonly ArchiveLayer[],
  whiteouts: boolean,
  reading: LayerReading,
): Promise<ArchiveListing> {
  const tree = new LayerTree();
  const hashes: string[] = [];
  const texts = new Map<LayerMember, string>();
  const lostAcls: RawPath[] = [];
  for (const [layer, source] of layers.entries()) {
    const placed: PlacedMember[] = [];
    const members = readLayer(source, reading, ({ hash }) => hashes.push(hash));
    for await (const found of members) {
      reading.signal.throwIfAborted();
      const member = memberOf(found, layer, placed.length);
      placed.push({ path: found.path, member });
      if (found.textAcl) lostAcls.push(found.path);
      const path = found.path.replace(/^(?:\.?\/)+/, '');
      if (found.type === 'file' && found.storedSize <= tellingLength && tellingPaths.has(path)) {
        texts.set(member, await textOf(found));
      }
    }
    try {
      tree.apply(placed, whiteouts);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new ImprintError('source-unfit', {
        source: source.name,
        problem: displayPath(error.message as RawPath),
        hint: 'Look at it with tar -tv, and make it again without that member.',
      });
    }
  }
  return { tree, hashes, texts, lostAcls };
}

/** What of a listing becomes the version: entries in manifest order, content still to come. */
export interface ArchiveSelection {
  entries: Entry[];
  scrubbed: RawPath[];
  suspects: RawPath[];
  /** The files whose content is wanted, by layer and member. */
  wanted: ReadonlyMap<number, ReadonlyMap<number, Entry>>;
  /** Of that content. */
  bytes: number;
}

/** Leaves out what the rules leave out, and finds the first name of every file among those that stay. */
export function selectEntries({ tree }: ArchiveListing, rules: SelectionRules): ArchiveSelection {
  const names = [...tree.names()];
  const members = new Map(names.map(({ path, member }) => [path, member]));
  const selection: Selection = selectPaths(listedPaths(names), rules);
  const wanted = new Map<number, Map<number, Entry>>();
  const entries: Entry[] = [];
  let bytes = 0;
  for (const { listed, how, first } of selection.paths) {
    const member = members.get(listed.path);
    if (member === undefined) continue;
    const entry = entryOf(listed.path, member, how === 'link' ? first : undefined);
    entries.push(entry);
    if (entry.type !== 'file') continue;
    if (how === 'empty') {
      entry.size = 0;
      delete entry.segments;
    } else if (member.size > 0) {
      const layer = wanted.get(member.layer) ?? new Map<number, Entry>();
      wanted.set(member.layer, layer.set(member.member, entry));
      bytes += entry.segments?.reduce((sum, { length }) => sum + length, 0) ?? member.size;
    }
  }
  return { entries, scrubbed: selection.scrubbed, suspects: selection.suspects, wanted, bytes };
}

/**
 * Reads the layers again and stores the content that is wanted; the entries have their chunks then. Throws `source-unfit` where a layer is
 * no longer what it was when it was listed.
 */
export async function storeContents(
  layers: readonly ArchiveLayer[],
  listing: ArchiveListing,
  { wanted, bytes }: ArchiveSelection,
  sink: ContentSink,
  reading: LayerReading,
  task: Task,
): Promise<void> {
  task.expect(bytes, 'bytes');
  const storing: Promise<void>[] = [];
  for (const [index, layer] of layers.entries()) {
    const files = wanted.get(index);
    if (files === undefined) continue;
    let hash = '';
    let count = 0;
    const members = readLayer(layer, reading, (end) => {
      hash = end.hash;
    });
    for await (const member of members) {
      reading.signal.throwIfAborted();
      const entry = files.get(count);
      count += 1;
      if (entry === undefined || member.storedSize === 0) continue;
      const { stored } = await sink.storeStream(counted(member, task));
      const filling = stored.then((chunks: ChunkReference[]) => {
        entry.chunks = chunks;
      });
      filling.catch(() => {});
      storing.push(filling);
    }
    if (hash !== listing.hashes[index]) {
      throw new ImprintError('source-unfit', {
        source: layer.name,
        problem: 'it changed while it was read',
        hint: 'Wait until whoever writes it is done, then capture again.',
      });
    }
  }
  await Promise.all(storing);
}

function memberOf(found: TarMember, layer: number, member: number): LayerMember {
  const { type, mode, uid, gid, mtime, xattrs, size, segments, target, major, minor } = found;
  return {
    type,
    mode,
    uid,
    gid,
    mtime,
    xattrs,
    size,
    ...(segments === undefined ? {} : { segments }),
    target,
    major,
    minor,
    layer,
    member,
  };
}

async function textOf(member: TarMember): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const piece of member.content()) parts.push(Buffer.from(piece));
  return Buffer.concat(parts).toString('utf8');
}

const typeLetters = {
  file: 'f',
  directory: 'd',
  symlink: 'l',
  hardlink: 'f',
  character: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
} as const;

/** The tree as find would list it: names of one file have one inode. */
function listedPaths(names: readonly PlacedMember[]): ListedPath[] {
  const files = new Map<LayerMember, { inode: string; links: number }>();
  for (const { member } of names) {
    const known = files.get(member);
    if (known === undefined) files.set(member, { inode: String(files.size), links: 1 });
    else known.links += 1;
  }
  return names.map(({ path, member }) => {
    const { mode, uid, gid, size, mtime } = member;
    const { inode, links } = files.get(member) ?? { inode: '', links: 1 };
    return {
      path,
      type: typeLetters[member.type],
      mode,
      uid,
      gid,
      size,
      mtime,
      ctime: mtime,
      inode,
      device: '0',
      links,
    };
  });
}

function entryOf(path: RawPath, member: LayerMember, first: RawPath | undefined): Entry {
  const { type, mode, uid, gid, mtime, xattrs } = member;
  const common = { path, mode, uid, gid, mtime };
  if (first !== undefined) return { ...common, type: 'hardlink', target: first };
  const entry: Entry = { ...common, type, ...(xattrs.length === 0 ? {} : { xattrs }) };
  if (type === 'symlink') entry.target = member.target;
  if (type === 'character' || type === 'block') {
    entry.major = member.major;
    entry.minor = member.minor;
  }
  if (type === 'file') {
    entry.size = member.size;
    entry.chunks = [];
    if (member.segments !== undefined) entry.segments = member.segments;
  }
  return entry;
}

async function* counted(member: TarMember, task: Task): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of member.content()) {
    yield piece;
    task.advance(piece.length);
  }
}
