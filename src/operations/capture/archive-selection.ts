import type { RawPath } from '../../foundation/brand.ts';
import type { ChunkReference, Entry } from '../../image/entry.ts';
import type { LayerMember, LayerTree } from '../../image/layer-tree.ts';
import type { SelectionRules } from '../../machine/selection.ts';
import { ByteRows, Column } from '../../tree/columns.ts';

/** Where the chunks of the wanted files are noted as they come, by layer and member. Columns: there may be a million. */
export class ArchiveContents {
  /** By layer, by member: 0 not wanted, 1 wanted, else 2 + the first row of its chunks. */
  readonly #rows: readonly Uint32Array[];
  /** By row: how many chunks follow for this file, and what they are. */
  readonly #counts = Column.u32();
  readonly #lengths = Column.u32();
  readonly #hashes = new ByteRows(32);

  /** @param members how many each layer has */
  constructor(members: readonly number[]) {
    this.#rows = members.map((count) => new Uint32Array(count));
  }

  want({ layer, member }: LayerMember): void {
    const rows = this.#rows[layer];
    if (rows !== undefined) rows[member] = 1;
  }

  wants(layer: number, member: number): boolean {
    return this.#rows[layer]?.[member] === 1;
  }

  wantsAny(layer: number): boolean {
    return this.#rows[layer]?.includes(1) ?? false;
  }

  store(layer: number, member: number, chunks: readonly ChunkReference[]): void {
    const rows = this.#rows[layer];
    if (rows !== undefined) rows[member] = 2 + this.#hashes.length;
    for (const { hash, length } of chunks) {
      this.#counts.push(chunks.length);
      this.#lengths.push(length);
      this.#hashes.push(hash);
    }
  }

  chunksOf({ layer, member }: LayerMember): ChunkReference[] {
    const from = (this.#rows[layer]?.[member] ?? 0) - 2;
    const count = from < 0 || from >= this.#hashes.length ? 0 : this.#counts.at(from);
    return Array.from({ length: count }, (_, index) => ({
      hash: this.#hashes.at(from + index),
      length: this.#lengths.at(from + index),
    }));
  }
}

/** What of a tree becomes the version, by the rules of the capture. */
export interface ArchiveSelection {
  scrubbed: RawPath[];
  suspects: RawPath[];
  contents: ArchiveContents;
  stats: { entries: number; files: number; logicalBytes: number; contentBytes: number };
  /** In manifest order, in batches; with their chunks as far as these are known. */
  entries(): Generator<Entry[]>;
}

const batchEntries = 512;

/** Leaves out what the rules leave out, and notes whose content is wanted. */
export function selectEntries(tree: LayerTree, members: readonly number[], rules: SelectionRules): ArchiveSelection {
  const contents = new ArchiveContents(members);
  const scrubbed: RawPath[] = [];
  const suspects: RawPath[] = [];
  const stats = { entries: 0, files: 0, logicalBytes: 0, contentBytes: 0 };
  for (const { path, member, how } of select(tree, rules, scrubbed)) {
    stats.entries += 1;
    if (rules.secrets?.isSuspect(path)) suspects.push(path);
    if (member.type !== 'file' || how === 'link') continue;
    stats.files += 1;
    if (how === 'empty' || member.size === 0) continue;
    const data = member.segments?.reduce((sum, { length }) => sum + length, 0) ?? member.size;
    stats.logicalBytes += member.size;
    stats.contentBytes += data;
    if (data > 0) contents.want(member);
  }
  return {
    scrubbed,
    suspects,
    contents,
    stats,
    *entries() {
      let batch: Entry[] = [];
      for (const selected of select(tree, rules, [])) {
        batch.push(entryOf(selected, contents));
        if (batch.length < batchEntries) continue;
        yield batch;
        batch = [];
      }
      yield batch;
    },
  };
}

interface Selected {
  path: RawPath;
  member: LayerMember;
  how: 'whole' | 'empty' | 'link';
  /** Of a link: the first name that is taken. */
  first?: RawPath;
}

/** All names that are taken, in manifest order. */
function* select(tree: LayerTree, { excluder, secrets }: SelectionRules, scrubbed: RawPath[]): Generator<Selected> {
  const firstNames = new Map<LayerMember, RawPath>();
  let skipped: string | undefined;
  for (const { path, member } of tree.names()) {
    if (skipped !== undefined && path.startsWith(skipped)) continue;
    const isDirectory = member.type === 'directory';
    const action = path === '' ? undefined : secrets?.find(path, isDirectory, member.type === 'file');
    if ((path !== '' && excluder.excludes(path, isDirectory)) || action === 'remove') {
      if (action === 'remove' && !excluder.excludes(path, isDirectory)) scrubbed.push(path);
      skipped = `${path}/`;
      continue;
    }
    if (action === 'empty') {
      scrubbed.push(path);
      yield { path, member, how: 'empty' };
      continue;
    }
    const first = member.linked ? firstNames.get(member) : undefined;
    if (first !== undefined) {
      yield { path, member, how: 'link', first };
      continue;
    }
    if (member.linked) firstNames.set(member, path);
    yield { path, member, how: 'whole' };
  }
}

function entryOf({ path, member, how, first }: Selected, contents: ArchiveContents): Entry {
  const { type, mode, uid, gid, mtime, xattrs } = member;
  const common = { path, mode, uid, gid, mtime };
  if (first !== undefined) return { ...common, type: 'hardlink', target: first };
  const entry: Entry = { ...common, type, ...(xattrs.length === 0 ? {} : { xattrs }) };
  if (type === 'symlink') entry.target = member.target;
  if (type === 'character' || type === 'block') {
    entry.major = member.major;
    entry.minor = member.minor;
  }
  if (type !== 'file') return entry;
  entry.size = how === 'empty' ? 0 : member.size;
  entry.chunks = how === 'empty' ? [] : contents.chunksOf(member);
  if (how !== 'empty' && member.segments !== undefined) entry.segments = member.segments;
  return entry;
}
