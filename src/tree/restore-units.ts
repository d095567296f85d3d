import type { ExtendedAttribute } from '../image/entry.ts';
import type { RestoreUnit } from './restore-message.ts';
import type { RestorePlan } from './restore-plan.ts';

/** A unit before its bytes are there: the run of the pack to read. */
export interface PlannedUnit {
  pack: number;
  offset: number;
  length: number;
  /** Pieces: a range of `RestoreUnits.order`. */
  from: number;
  to: number;
}

/** Of a unit, at most: compressed and decompressed bytes. */
const mostCompressed = 4 << 20;
const mostContent = 8 << 20;
/** Pieces after which no other frame is added: small files by the ten thousand would make a message of many megabytes. */
const manyPieces = 4096;
/** Bytes between two frames that are rather read along than left out. */
const smallGap = 64 << 10;

/** Cuts a plan into units: packs in order, in each its frames in order, every frame in one unit only. */
export class RestoreUnits {
  readonly units: PlannedUnit[] = [];
  /** Files that more than one unit writes → their row in the table of what remains, and how many units there are. */
  readonly shared = new Map<number, { row: number; units: number }>();
  readonly #plan: RestorePlan;
  /** Pieces by pack, frame, and within a frame as they were planned. */
  readonly #order: Uint32Array;

  constructor(plan: RestorePlan) {
    this.#plan = plan;
    this.#order = orderPieces(plan);
    this.#cut();
    this.#findShared();
  }

  #cut(): void {
    const { frames, pieces } = this.#plan;
    let open: (PlannedUnit & { content: number }) | undefined;
    let last = -1;
    this.#order.forEach((piece, index) => {
      const frame = pieces.frame.at(piece);
      if (frame !== last) {
        last = frame;
        const pack = frames.pack.at(frame);
        const offset = frames.offset.at(frame);
        const end = offset + frames.length.at(frame);
        const content = frames.content.at(frame);
        const fits =
          open !== undefined &&
          open.pack === pack &&
          open.to - open.from < manyPieces &&
          offset - (open.offset + open.length) <= smallGap &&
          end - open.offset <= mostCompressed &&
          open.content + content <= mostContent;
        if (open !== undefined && fits) {
          open.length = end - open.offset;
          open.content += content;
        } else {
          open = { pack, offset, length: end - offset, content, from: index, to: index };
          this.units.push(open);
        }
      }
      if (open !== undefined) open.to = index + 1;
    });
  }

  #findShared(): void {
    const { files, pieces } = this.#plan;
    const unitOf = new Int32Array(files.paths.length).fill(-1);
    this.units.forEach(({ from, to }, unit) => {
      for (let index = from; index < to; index += 1) {
        const file = pieces.file.at(this.#order[index] as number);
        const before = unitOf[file];
        if (before === unit) continue;
        unitOf[file] = unit;
        if (before === -1) continue;
        const shared = this.shared.get(file);
        if (shared === undefined) this.shared.set(file, { row: this.shared.size, units: 2 });
        else shared.units += 1;
      }
    });
  }

  /** The message for a unit. */
  message(id: number, source: RestoreUnit['source']): RestoreUnit {
    const { pack, offset, from, to } = this.units[id] as PlannedUnit;
    const plan = this.#plan;
    const builder = new UnitBuilder(plan, this.shared, offset);
    // The pieces of one file together, so that it is opened once.
    const order = this.#order.slice(from, to);
    for (const piece of order) builder.place(piece);
    for (const piece of order.sort()) builder.add(piece);
    return { id, pack: plan.packs[pack] ?? '', source, ...builder.take() };
  }
}

/** Frames are put in order, and then their pieces counted into place: there are few of those and may be a million of these. */
function orderPieces({ frames, pieces }: RestorePlan): Uint32Array {
  const inOrder = Array.from({ length: frames.pack.length }, (_, frame) => frame).sort(
    (left, right) => frames.pack.at(left) - frames.pack.at(right) || frames.offset.at(left) - frames.offset.at(right),
  );
  const next = new Uint32Array(inOrder.length);
  const count = pieces.frame.length;
  for (let piece = 0; piece < count; piece += 1) {
    const frame = pieces.frame.at(piece);
    next[frame] = (next[frame] as number) + 1;
  }
  let begin = 0;
  for (const frame of inOrder) {
    const length = next[frame] as number;
    next[frame] = begin;
    begin += length;
  }
  const order = new Uint32Array(count);
  for (let piece = 0; piece < count; piece += 1) {
    const frame = pieces.frame.at(piece);
    const place = next[frame] as number;
    order[place] = piece;
    next[frame] = place + 1;
  }
  return order;
}

class UnitBuilder {
  readonly #plan: RestorePlan;
  readonly #shared: RestoreUnits['shared'];
  readonly #runOffset: number;
  readonly #frames: number[] = [];
  /** Frame → where its content begins in the joined content. */
  readonly #frameStart = new Map<number, number>();
  readonly #paths: string[] = [];
  readonly #files: number[] = [];
  readonly #xattrs = new Map<number, readonly ExtendedAttribute[]>();
  readonly #pieces: number[] = [];
  readonly #chunks: number[] = [];
  readonly #hashes: Buffer[] = [];
  readonly #checked = new Set<number>();
  #content = 0;
  #lastFile = -1;

  constructor(plan: RestorePlan, shared: RestoreUnits['shared'], runOffset: number) {
    this.#plan = plan;
    this.#shared = shared;
    this.#runOffset = runOffset;
  }

  /** Gives the frame of a piece its place, and notes its chunk to be checked; pieces come by their frames here. */
  place(piece: number): void {
    const { frames, pieces } = this.#plan;
    const frame = pieces.frame.at(piece);
    let start = this.#frameStart.get(frame);
    if (start === undefined) {
      start = this.#content;
      this.#frameStart.set(frame, start);
      const content = frames.content.at(frame);
      this.#frames.push(frames.offset.at(frame) - this.#runOffset, frames.length.at(frame), content);
      this.#content += content;
    }
    const chunk = start + pieces.chunkStart.at(piece);
    if (this.#checked.has(chunk)) return;
    this.#checked.add(chunk);
    this.#chunks.push(chunk, pieces.chunkLength.at(piece));
    this.#hashes.push(pieces.hash.at(piece));
  }

  /** Adds a piece; those of one file come one after another. */
  add(piece: number): void {
    const { pieces } = this.#plan;
    const file = pieces.file.at(piece);
    if (file !== this.#lastFile) this.#addFile(file);
    const start = (this.#frameStart.get(pieces.frame.at(piece)) ?? 0) + pieces.chunkStart.at(piece);
    const row = this.#paths.length - 1;
    this.#pieces.push(row, start + pieces.skip.at(piece), pieces.length.at(piece), pieces.position.at(piece));
  }

  #addFile(file: number): void {
    this.#lastFile = file;
    const { files, xattrs } = this.#plan;
    const attributes = xattrs.get(file);
    if (attributes !== undefined) this.#xattrs.set(this.#paths.length, attributes);
    this.#paths.push(files.paths.at(file));
    this.#files.push(
      files.mode.at(file),
      files.uid.at(file),
      files.gid.at(file),
      files.seconds.at(file),
      files.nanoseconds.at(file),
      files.sparseSize.at(file),
      this.#shared.get(file)?.row ?? -1,
    );
  }

  take(): Omit<RestoreUnit, 'id' | 'pack' | 'source'> {
    return {
      frames: Uint32Array.from(this.#frames),
      paths: this.#paths,
      files: Float64Array.from(this.#files),
      xattrs: this.#xattrs,
      pieces: Float64Array.from(this.#pieces),
      chunks: Uint32Array.from(this.#chunks),
      hashes: Buffer.concat(this.#hashes),
    };
  }
}
