import type { Digest } from '../foundation/brand.ts';
import { type Entry, entryTypes } from '../image/entry.ts';
import type { ChunkLocation, Store } from '../store/store.ts';
import { ByteRows, Column } from './columns.ts';

/**
 * A version as a tree that is looked up by number and name, in columns that threads share: some 70 bytes and the name for each
 * path, 48 for each chunk. Node 0 is the root; nodes are in manifest order.
 */
export interface VersionTable {
  readonly nodes: number;
  /** Length of all names together, and where each begins; the name of node n ends where that of n + 1 begins. */
  readonly names: Uint8Array;
  readonly nameOffset: Uint32Array;
  readonly parent: Uint32Array;
  /** Index in `entryTypes`; hard links have the type of what they name. */
  readonly type: Uint32Array;
  /** The node that has the attributes and the content: the first name of a hard link, else the node itself. */
  readonly identity: Uint32Array;
  readonly mode: Uint32Array;
  readonly uid: Uint32Array;
  readonly gid: Uint32Array;
  readonly links: Uint32Array;
  readonly size: Float64Array;
  readonly seconds: Float64Array;
  readonly nanoseconds: Uint32Array;
  readonly major: Uint32Array;
  readonly minor: Uint32Array;
  /** Of a directory: where its children begin in `children`; they end where those of the next node begin. Names rise. */
  readonly childrenFrom: Uint32Array;
  readonly children: Uint32Array;
  /** Of a file: its chunks, up to those of the next node. */
  readonly chunksFrom: Uint32Array;
  /** Where the chunk lies in the file's data (holes left out), its length, its frame and its place in that. */
  readonly chunkAt: Float64Array;
  readonly chunkLength: Uint32Array;
  readonly chunkFrame: Uint32Array;
  readonly chunkOffset: Uint32Array;
  /** 32 bytes each. */
  readonly chunkHash: Uint8Array;
  /** Of a file with holes: pairs of offset and length, up to those of the next node. A file with `whole` set has none and no hole. */
  readonly segmentsFrom: Uint32Array;
  readonly segments: Float64Array;
  readonly whole: Uint32Array;
  readonly packs: readonly string[];
  readonly framePack: Uint32Array;
  readonly frameOffset: Float64Array;
  readonly frameLength: Uint32Array;
  readonly frameContent: Uint32Array;
  /** Targets of symlinks, and extended attributes, of the few nodes that have any. */
  readonly targets: ReadonlyMap<number, string>;
  readonly xattrs: ReadonlyMap<number, readonly { name: string; value: Uint8Array }[]>;
}

/** Reads a version's manifest and finds where its content lies. Throws `corrupt-manifest`, `chunk-missing`. */
export async function readVersionTable(store: Store, digest: Digest, signal: AbortSignal): Promise<VersionTable> {
  const builder = new TableBuilder();
  for await (const batch of store.entries(digest)) {
    signal.throwIfAborted();
    for (const entry of batch) builder.add(entry);
  }
  for (let from = 0; from < builder.chunks; from += locateBatch) {
    signal.throwIfAborted();
    const names = builder.chunkNames(from, from + locateBatch);
    builder.place(names, await store.locate(new Set(names), digest));
  }
  return builder.finish();
}

/** Chunks whose places are asked for at a time: what bounds the memory for names of 64 letters. */
const locateBatch = 1 << 14;

class TableBuilder {
  #names = Buffer.alloc(1 << 16);
  readonly #nameOffset = Column.u32();
  readonly #parent = Column.u32();
  readonly #type = Column.u32();
  readonly #identity = Column.u32();
  readonly #mode = Column.u32();
  readonly #uid = Column.u32();
  readonly #gid = Column.u32();
  readonly #links = Column.u32();
  readonly #size = Column.f64();
  readonly #seconds = Column.f64();
  readonly #nanoseconds = Column.u32();
  readonly #major = Column.u32();
  readonly #minor = Column.u32();
  readonly #chunksFrom = Column.u32();
  readonly #chunkAt = Column.f64();
  readonly #chunkLength = Column.u32();
  readonly #chunkFrame = Column.u32();
  readonly #chunkOffset = Column.u32();
  readonly #chunkHash = new ByteRows(32);
  readonly #segmentsFrom = Column.u32();
  readonly #segments = Column.f64();
  readonly #whole = Column.u32();
  readonly #targets = new Map<number, string>();
  readonly #xattrs = new Map<number, readonly { name: string; value: Uint8Array }[]>();
  readonly #hardLinks: { node: number; target: string }[] = [];
  /** Directories that the present path lies in: node, and its path with a slash behind. */
  readonly #above: { node: number; path: string }[] = [];
  readonly #packs = new Map<string, number>();
  readonly #frames = new Map<string, number>();
  readonly #framePack = Column.u32();
  readonly #frameOffset = Column.f64();
  readonly #frameLength = Column.u32();
  readonly #frameContent = Column.u32();

  constructor() {
    this.#nameOffset.push(0);
  }

  get chunks(): number {
    return this.#chunkHash.length;
  }

  add(entry: Entry): void {
    const node = this.#type.length;
    while (this.#above.length > 1 && !entry.path.startsWith(this.#above.at(-1)?.path ?? '')) this.#above.pop();
    const above = this.#above.at(-1);
    this.#name(entry.path.slice(above?.path.length ?? 0));
    this.#parent.push(above?.node ?? 0);
    this.#identity.push(node);
    this.#type.push(entryTypes.indexOf(entry.type));
    this.#links.push(entry.type === 'directory' ? 2 : 1);
    if (entry.type === 'directory') {
      if (above !== undefined) this.#links.set(above.node, this.#links.at(above.node) + 1);
      this.#above.push({ node, path: entry.path === '' ? '' : `${entry.path}/` });
    }
    if (entry.type === 'hardlink') this.#hardLinks.push({ node, target: entry.target ?? '' });
    if (entry.type === 'symlink') this.#targets.set(node, entry.target ?? '');
    this.#mode.push(entry.mode);
    this.#uid.push(entry.uid);
    this.#gid.push(entry.gid);
    this.#seconds.push(entry.mtime.seconds);
    this.#nanoseconds.push(entry.mtime.nanoseconds);
    this.#major.push(entry.major ?? 0);
    this.#minor.push(entry.minor ?? 0);
    this.#size.push(entry.type === 'symlink' ? (entry.target?.length ?? 0) : (entry.size ?? 0));
    // Copies: an entry's bytes are views into a block of the manifest.
    if (entry.xattrs !== undefined && entry.xattrs.length > 0)
      this.#xattrs.set(
        node,
        entry.xattrs.map(({ name, value }) => ({ name, value: Uint8Array.from(value) })),
      );
    this.#content(entry);
  }

  /** Hashes of a run of chunks, as the store is asked for them. */
  chunkNames(from: number, to: number): string[] {
    const count = Math.min(to, this.chunks) - from;
    return Array.from({ length: count }, (_, index) => this.#chunkHash.at(from + index).toString('hex'));
  }

  /** Notes where the next chunks lie. */
  place(names: readonly string[], places: ReadonlyMap<string, ChunkLocation>): void {
    for (const name of names) {
      // `locate` throws where one is missing.
      const place = places.get(name) as ChunkLocation;
      this.#chunkFrame.push(this.#frame(place));
      this.#chunkOffset.push(place.offset);
    }
  }

  finish(): VersionTable {
    const family = this.#family();
    const names = new Uint8Array(new SharedArrayBuffer(this.#nameOffset.at(this.#nameOffset.length - 1)));
    names.set(this.#names.subarray(0, names.length));
    const nameOffset = this.#nameOffset.shared();
    this.#joinHardLinks({ ...family, names, nameOffset });
    this.#chunksFrom.push(this.chunks);
    this.#segmentsFrom.push(this.#segments.length);
    return {
      nodes: this.#type.length,
      names,
      nameOffset,
      parent: this.#parent.shared(),
      type: this.#type.shared(),
      identity: this.#identity.shared(),
      mode: this.#mode.shared(),
      uid: this.#uid.shared(),
      gid: this.#gid.shared(),
      links: this.#links.shared(),
      size: this.#size.shared(),
      seconds: this.#seconds.shared(),
      nanoseconds: this.#nanoseconds.shared(),
      major: this.#major.shared(),
      minor: this.#minor.shared(),
      ...family,
      chunksFrom: this.#chunksFrom.shared(),
      chunkAt: this.#chunkAt.shared(),
      chunkLength: this.#chunkLength.shared(),
      chunkFrame: this.#chunkFrame.shared(),
      chunkOffset: this.#chunkOffset.shared(),
      chunkHash: this.#chunkHash.shared(),
      segmentsFrom: this.#segmentsFrom.shared(),
      segments: this.#segments.shared(),
      whole: this.#whole.shared(),
      packs: [...this.#packs.keys()],
      framePack: this.#framePack.shared(),
      frameOffset: this.#frameOffset.shared(),
      frameLength: this.#frameLength.shared(),
      frameContent: this.#frameContent.shared(),
      targets: this.#targets,
      xattrs: this.#xattrs,
    };
  }

  #name(name: string): void {
    const from = this.#nameOffset.at(this.#nameOffset.length - 1);
    if (from + name.length > this.#names.length)
      this.#names = Buffer.concat([this.#names], Math.max(this.#names.length * 2, from + name.length));
    this.#names.write(name, from, 'latin1');
    this.#nameOffset.push(from + name.length);
  }

  #content(entry: Entry): void {
    this.#chunksFrom.push(this.chunks);
    let at = 0;
    for (const { hash, length } of entry.chunks ?? []) {
      this.#chunkHash.push(hash);
      this.#chunkAt.push(at);
      this.#chunkLength.push(length);
      at += length;
    }
    this.#segmentsFrom.push(this.#segments.length);
    this.#whole.push(entry.segments === undefined ? 1 : 0);
    for (const { offset, length } of entry.segments ?? []) {
      this.#segments.push(offset);
      this.#segments.push(length);
    }
  }

  #frame(place: ChunkLocation): number {
    const key = `${place.pack}:${place.frameOffset}`;
    const known = this.#frames.get(key);
    if (known !== undefined) return known;
    const frame = this.#frames.size;
    this.#frames.set(key, frame);
    const pack = this.#packs.get(place.pack) ?? this.#packs.size;
    this.#packs.set(place.pack, pack);
    this.#framePack.push(pack);
    this.#frameOffset.push(place.frameOffset);
    this.#frameLength.push(place.frameLength);
    this.#frameContent.push(place.frameContentLength);
    return frame;
  }

  /** Children by directory, in the order of the manifest, which for names of one directory is that of their bytes. */
  #family(): Pick<VersionTable, 'childrenFrom' | 'children'> {
    const nodes = this.#type.length;
    const from = new Uint32Array(new SharedArrayBuffer((nodes + 1) * 4));
    for (let node = 1; node < nodes; node += 1) {
      const above = this.#parent.at(node) + 1;
      from[above] = (from[above] as number) + 1;
    }
    for (let node = 0; node < nodes; node += 1) from[node + 1] = (from[node + 1] as number) + (from[node] as number);
    const children = new Uint32Array(new SharedArrayBuffer(Math.max(nodes, 1) * 4));
    const next = from.slice();
    for (let node = 1; node < nodes; node += 1) {
      const above = this.#parent.at(node);
      children[next[above] as number] = node;
      next[above] = (next[above] as number) + 1;
    }
    return { childrenFrom: from, children };
  }

  /** Hard links become further names of the node that they name. */
  #joinHardLinks(tree: Pick<VersionTable, 'childrenFrom' | 'children' | 'names' | 'nameOffset'>): void {
    for (const { node, target } of this.#hardLinks) {
      let first: number | undefined = 0;
      for (const part of target.split('/')) {
        if (first !== undefined) first = findChild(tree, first, Buffer.from(part, 'latin1'));
      }
      if (first === undefined) continue;
      this.#identity.set(node, first);
      this.#type.set(node, this.#type.at(first));
      this.#links.set(first, this.#links.at(first) + 1);
    }
  }
}

/** The child of a directory by its name: names rise, so half of what is left goes with each look. */
export function findChild(
  {
    childrenFrom,
    children,
    names,
    nameOffset,
  }: Pick<VersionTable, 'childrenFrom' | 'children' | 'names' | 'nameOffset'>,
  above: number,
  name: Uint8Array,
): number | undefined {
  let low = childrenFrom[above] as number;
  let high = (childrenFrom[above + 1] as number) - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const child = children[middle] as number;
    const order = Buffer.compare(names.subarray(nameOffset[child], nameOffset[child + 1]), name);
    if (order === 0) return child;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
