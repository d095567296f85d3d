import { type EntryType, entryTypes, typeBits } from '../../image/entry.ts';
import { findChild, type VersionTable } from '../../tree/version-table.ts';
import type { FrameCache } from './frame-cache.ts';
import {
  answerInit,
  direntLength,
  entryLength,
  errors,
  finishAnswer,
  formatError,
  type NodeAttributes,
  opcodes,
  outHeaderLength,
  putAttributesAnswer,
  putDirent,
  putEntry,
  type Request,
} from './protocol.ts';

const directory = entryTypes.indexOf('directory');
/** The longest answer: a read of 1 MiB, or what a directory takes at once. */
const answerLength = outHeaderLength + (1 << 20);

/**
 * A version as the kernel asks for it: every request has one answer, worked out at once. Nodes are numbered from 1, as FUSE has
 * it; offsets in a directory count its entries. Content that cannot be read or is damaged answers with EIO, and is told to `onDamage`.
 */
export class VersionFileSystem {
  readonly #table: VersionTable;
  readonly #frames: FrameCache;
  readonly #onDamage: (node: number, error: unknown) => void;
  readonly #answer = Buffer.alloc(answerLength);
  readonly #totals: { bytes: number };

  constructor(table: VersionTable, frames: FrameCache, onDamage: (node: number, error: unknown) => void) {
    this.#table = table;
    this.#frames = frames;
    this.#onDamage = onDamage;
    let bytes = 0;
    for (const length of table.chunkLength) bytes += length;
    this.#totals = { bytes };
  }

  /** The answer, valid until the next request; undefined for what wants none. */
  answer(request: Request): Buffer | undefined {
    const { opcode, unique, body } = request;
    if (opcode === opcodes.forget || opcode === opcodes.batchForget || opcode === opcodes.interrupt) return undefined;
    if (opcode === opcodes.init) {
      const answer = answerInit(body);
      return answer === undefined ? formatError(unique, errors.invalid) : this.#whole(unique, answer);
    }
    const node = request.node - 1;
    if (node < 0 || node >= this.#table.nodes) return formatError(unique, errors.noEntry);
    switch (opcode) {
      case opcodes.lookup:
        return this.#lookup(unique, node, body);
      case opcodes.getattr:
        return finishAnswer(
          this.#answer,
          unique,
          putAttributesAnswer(this.#answer, outHeaderLength, this.#attributes(node)),
        );
      case opcodes.readlink:
        return this.#whole(unique, Buffer.from(this.#table.targets.get(node) ?? '', 'latin1'));
      case opcodes.read:
        return this.#read(unique, this.#identity(node), Number(body.readBigUInt64LE(8)), body.readUInt32LE(16));
      case opcodes.readdir:
      case opcodes.readdirplus:
        return this.#list(
          unique,
          node,
          Number(body.readBigUInt64LE(8)),
          body.readUInt32LE(16),
          opcode === opcodes.readdirplus,
        );
      case opcodes.getxattr:
        return this.#xattr(unique, node, body.readUInt32LE(0), body.toString('latin1', 8, body.indexOf(0, 8)));
      case opcodes.listxattr:
        return this.#listXattrs(unique, node, body.readUInt32LE(0));
      case opcodes.statfs:
        return this.#statfs(unique);
      case opcodes.lseek:
        return this.#seek(unique, node, Number(body.readBigUInt64LE(8)), body.readUInt32LE(16));
      case opcodes.destroy:
        return formatError(unique, 0);
      default:
        // Not even opening needs to be asked: nothing here has a state.
        return formatError(unique, errors.noSystemCall);
    }
  }

  #whole(unique: bigint, body: Uint8Array): Buffer {
    this.#answer.set(body, outHeaderLength);
    return finishAnswer(this.#answer, unique, body.length);
  }

  #lookup(unique: bigint, above: number, body: Buffer): Buffer {
    const end = body.indexOf(0);
    const found = findChild(this.#table, above, body.subarray(0, end < 0 ? body.length : end));
    if (found === undefined) putEntry(this.#answer, outHeaderLength, 0);
    else putEntry(this.#answer, outHeaderLength, this.#identity(found) + 1, this.#attributes(found));
    return finishAnswer(this.#answer, unique, entryLength);
  }

  #identity(node: number): number {
    return this.#table.identity[node] as number;
  }

  #attributes(named: number): NodeAttributes {
    const node = this.#identity(named);
    const table = this.#table;
    const type = entryTypes[table.type[node] as number] ?? 'file';
    const [major, minor] = [table.major[node] as number, table.minor[node] as number];
    return {
      inode: node + 1,
      size: table.size[node] as number,
      blocks: Math.ceil(this.#dataLength(node) / 4096) * 8,
      seconds: table.seconds[node] as number,
      nanoseconds: table.nanoseconds[node] as number,
      mode: bitsOf(type) | (table.mode[node] as number),
      links: table.links[node] as number,
      uid: table.uid[node] as number,
      gid: table.gid[node] as number,
      device: ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0,
    };
  }

  #dataLength(node: number): number {
    const { chunksFrom, chunkAt, chunkLength } = this.#table;
    const last = (chunksFrom[node + 1] as number) - 1;
    return last < (chunksFrom[node] as number) ? 0 : (chunkAt[last] as number) + (chunkLength[last] as number);
  }

  #list(unique: bigint, node: number, offset: number, room: number, plus: boolean): Buffer {
    const { type, childrenFrom, children, names, nameOffset, parent } = this.#table;
    if (type[node] !== directory) return formatError(unique, errors.invalid);
    const from = childrenFrom[node] as number;
    const count = (childrenFrom[node + 1] as number) - from;
    const limit = outHeaderLength + Math.min(room, answerLength - outHeaderLength);
    let at = outHeaderLength;
    for (let index = offset; index < count + 2; index += 1) {
      const child =
        index === 0 ? node : index === 1 ? (parent[node] as number) : (children[from + index - 2] as number);
      const name =
        index === 0
          ? dot
          : index === 1
            ? dotDot
            : names.subarray(nameOffset[child] as number, nameOffset[child + 1] as number);
      const length = direntLength(name.length) + (plus ? entryLength : 0);
      if (at + length > limit) break;
      if (plus) {
        // `.` and `..` are told without being looked up.
        if (index < 2) this.#answer.fill(0, at, at + entryLength);
        else putEntry(this.#answer, at, this.#identity(child) + 1, this.#attributes(child));
        at += entryLength;
      }
      const kind = bitsOf(entryTypes[type[this.#identity(child)] as number]) >> 12;
      putDirent(this.#answer, at, this.#identity(child) + 1, index + 1, kind, name);
      at += direntLength(name.length);
    }
    return finishAnswer(this.#answer, unique, at - outHeaderLength);
  }

  #read(unique: bigint, node: number, offset: number, wanted: number): Buffer {
    const size = this.#table.size[node] as number;
    const length = Math.max(0, Math.min(wanted, size - offset, answerLength - outHeaderLength));
    const target = this.#answer.subarray(outHeaderLength, outHeaderLength + length);
    try {
      if (this.#table.whole[node] === 1) this.#copy(node, offset, target);
      else {
        target.fill(0);
        this.#copySegments(node, offset, target);
      }
    } catch (error) {
      this.#onDamage(node, error);
      return formatError(unique, errors.io);
    }
    return finishAnswer(this.#answer, unique, length);
  }

  #copySegments(node: number, offset: number, target: Buffer): void {
    const { segmentsFrom, segments } = this.#table;
    const end = offset + target.length;
    let data = 0;
    for (let row = segmentsFrom[node] as number; row < (segmentsFrom[node + 1] as number); row += 2) {
      const [start, length] = [segments[row] as number, segments[row + 1] as number];
      if (start >= end) break;
      const from = Math.max(start, offset);
      const to = Math.min(start + length, end);
      if (from < to) this.#copy(node, data + from - start, target.subarray(from - offset, to - offset));
      data += length;
    }
  }

  /** Fills `target` with the file's data (holes left out) from `position`. */
  #copy(node: number, position: number, target: Buffer): void {
    const { chunkAt, chunkLength, chunkFrame, chunkOffset } = this.#table;
    let done = 0;
    for (let chunk = this.#chunkAt(node, position); done < target.length; chunk += 1) {
      const within = position + done - (chunkAt[chunk] as number);
      const length = Math.min((chunkLength[chunk] as number) - within, target.length - done);
      const content = this.#frames.content(chunkFrame[chunk] as number, chunk);
      content.copy(
        target,
        done,
        (chunkOffset[chunk] as number) + within,
        (chunkOffset[chunk] as number) + within + length,
      );
      done += length;
    }
  }

  /** The chunk of a file that holds the byte at `position` of its data. */
  #chunkAt(node: number, position: number): number {
    const { chunksFrom, chunkAt } = this.#table;
    let low = chunksFrom[node] as number;
    let high = (chunksFrom[node + 1] as number) - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((chunkAt[middle] as number) <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #xattr(unique: bigint, named: number, room: number, name: string): Buffer {
    const found = this.#table.xattrs.get(this.#identity(named))?.find((each) => each.name === name);
    return found === undefined ? formatError(unique, errors.noData) : this.#sized(unique, found.value, room);
  }

  #listXattrs(unique: bigint, named: number, room: number): Buffer {
    const names = this.#table.xattrs.get(this.#identity(named)) ?? [];
    return this.#sized(unique, Buffer.from(names.map(({ name }) => `${name}\0`).join(''), 'latin1'), room);
  }

  /** The value; its length where no room is given; an error where the room is too small. */
  #sized(unique: bigint, value: Uint8Array, room: number): Buffer {
    if (room === 0) {
      const size = Buffer.alloc(8);
      size.writeUInt32LE(value.length, 0);
      return this.#whole(unique, size);
    }
    return value.length > room ? formatError(unique, errors.range) : this.#whole(unique, value);
  }

  #statfs(unique: bigint): Buffer {
    const body = Buffer.alloc(80);
    body.writeBigUInt64LE(BigInt(Math.ceil(this.#totals.bytes / 4096)), 0);
    body.writeBigUInt64LE(BigInt(this.#table.nodes), 24);
    body.writeUInt32LE(4096, 40);
    body.writeUInt32LE(255, 44);
    body.writeUInt32LE(4096, 48);
    return this.#whole(unique, body);
  }

  /** SEEK_DATA (3) and SEEK_HOLE (4), so that copies keep the holes. */
  #seek(unique: bigint, named: number, offset: number, whence: number): Buffer {
    const node = this.#identity(named);
    const size = this.#table.size[node] as number;
    if (whence !== 3 && whence !== 4) return formatError(unique, errors.invalid);
    const found =
      offset >= size ? undefined : whence === 3 ? this.#dataFrom(node, offset) : this.#holeFrom(node, offset);
    if (found === undefined) return formatError(unique, errors.noSuchAddress);
    const body = Buffer.alloc(8);
    body.writeBigUInt64LE(BigInt(found), 0);
    return this.#whole(unique, body);
  }

  #dataFrom(node: number, offset: number): number | undefined {
    if (this.#table.whole[node] === 1) return offset;
    const { segmentsFrom, segments } = this.#table;
    for (let row = segmentsFrom[node] as number; row < (segmentsFrom[node + 1] as number); row += 2) {
      const [start, length] = [segments[row] as number, segments[row + 1] as number];
      if (start + length > offset) return Math.max(start, offset);
    }
    return undefined;
  }

  #holeFrom(node: number, offset: number): number {
    const { segmentsFrom, segments, size, whole } = this.#table;
    if (whole[node] === 1) return size[node] as number;
    let at = offset;
    for (let row = segmentsFrom[node] as number; row < (segmentsFrom[node + 1] as number); row += 2) {
      const [start, length] = [segments[row] as number, segments[row + 1] as number];
      if (start > at) return at;
      at = Math.max(at, start + length);
    }
    return at;
  }
}

const dot = Buffer.from('.');
const dotDot = Buffer.from('..');

/** A hard link shares the identity of its first name, which is a file where nothing else is said. */
function bitsOf(type: EntryType | undefined): number {
  return typeBits[type === undefined || type === 'hardlink' ? 'file' : type];
}
