import { displayPath, type RawPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { FormatError } from '../../image/format-error.ts';
import { type LayerMember, LayerTree, type PlacedMember } from '../../image/layer-tree.ts';
import type { TarMember } from '../../image/tar.ts';
import { type ArchiveLayer, type LayerReading, readLayer } from './archive-layer.ts';
import type { ArchiveContents } from './archive-selection.ts';
import type { ContentSink } from './golden-archive.ts';

/** What the first reading of a source's layers showed; nothing of it was stored. */
export interface ArchiveListing {
  tree: LayerTree;
  /** Of each layer: SHA-256 of its tar, and how many members it has. */
  hashes: string[];
  members: number[];
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
  const counts: number[] = [];
  const texts = new Map<LayerMember, string>();
  const lostAcls: RawPath[] = [];
  for (const [layer, source] of layers.entries()) {
    const placed: PlacedMember[] = [];
    let count = 0;
    for await (const found of readLayer(source, reading, ({ hash }) => hashes.push(hash))) {
      reading.signal.throwIfAborted();
      const member = memberOf(found, layer, count);
      count += 1;
      // Whiteouts must come first, wherever they stand; without them there is nothing to wait for.
      if (whiteouts) placed.push({ path: found.path, member });
      else applying(source, () => tree.add(found.path, member));
      if (found.textAcl) lostAcls.push(found.path);
      const path = found.path.replace(/^(?:\.?\/)+/, '');
      if (found.type === 'file' && found.storedSize <= tellingLength && tellingPaths.has(path)) {
        texts.set(member, await textOf(found));
      }
    }
    if (whiteouts) applying(source, () => tree.apply(placed, true));
    counts.push(count);
  }
  return { tree, hashes, members: counts, texts, lostAcls };
}

/**
 * Reads the layers again and stores the content that is wanted; the entries have their chunks then. Throws `source-unfit` where a layer is
 * no longer what it was when it was listed.
 */
export async function storeContents(
  layers: readonly ArchiveLayer[],
  hashes: readonly string[],
  contents: ArchiveContents,
  sink: ContentSink,
  reading: LayerReading,
  task: Task,
): Promise<void> {
  const storing = new Set<Promise<void>>();
  for (const [index, layer] of layers.entries()) {
    if (!contents.wantsAny(index)) continue;
    let hash = '';
    let count = -1;
    const members = readLayer(layer, reading, (end) => {
      hash = end.hash;
    });
    for await (const member of members) {
      reading.signal.throwIfAborted();
      count += 1;
      if (member.storedSize === 0 || !contents.wants(index, count)) continue;
      const number = count;
      const { stored } = await sink.storeStream(counted(member, task));
      const filling = stored.then((chunks) => contents.store(index, number, chunks));
      storing.add(filling);
      // One that fails stays, and is thrown below.
      filling.then(
        () => storing.delete(filling),
        () => {},
      );
    }
    if (hash !== hashes[index]) {
      throw new ImprintError('source-unfit', {
        source: layer.name,
        problem: 'it changed while it was read',
        hint: 'Wait until whoever writes it is done, then capture again.',
      });
    }
  }
  await Promise.all(storing);
}

function applying({ name }: ArchiveLayer, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new ImprintError('source-unfit', {
      source: name,
      problem: displayPath(error.message as RawPath),
      hint: 'Look at it with tar -tv, and make it again without that member.',
    });
  }
}

const noAttributes: LayerMember['xattrs'] = [];

/** There may be a million of them: nothing is kept that the archive's member holds beside, and what is empty is shared. */
function memberOf(found: TarMember, layer: number, member: number): LayerMember {
  const { type, mode, uid, gid, mtime, xattrs, size, segments, target, major, minor } = found;
  return {
    type,
    mode,
    uid,
    gid,
    mtime,
    xattrs: xattrs.length === 0 ? noAttributes : xattrs,
    size,
    segments,
    target: target === '' ? noTarget : target,
    major,
    minor,
    layer,
    member,
    linked: false,
  };
}

const noTarget = '' as RawPath;

async function textOf(member: TarMember): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const piece of member.content()) parts.push(Buffer.from(piece));
  return Buffer.concat(parts).toString('utf8');
}

async function* counted(member: TarMember, task: Task): AsyncGenerator<Uint8Array, void, void> {
  for await (const piece of member.content()) {
    yield piece;
    task.advance(piece.length);
  }
}
