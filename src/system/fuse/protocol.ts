/**
 * The wire form of FUSE as `linux/fuse.h` (7.31) has it: little-endian structures over `/dev/fuse`. What a read-only file system
 * needs of it.
 */

export const opcodes = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  readlink: 5,
  open: 14,
  read: 15,
  statfs: 17,
  release: 18,
  getxattr: 22,
  listxattr: 23,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  access: 34,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  readdirplus: 44,
  lseek: 46,
} as const;

/** Error numbers of Linux. */
export const errors = {
  noEntry: 2,
  io: 5,
  noSuchAddress: 6,
  invalid: 22,
  range: 34,
  noSystemCall: 38,
  noData: 61,
  readOnly: 30,
} as const;

export const inHeaderLength = 40;
export const outHeaderLength = 16;
export const attributesLength = 88;
export const entryLength = 128;

/** Flags of FUSE_INIT: what the kernel may leave out, and what it may ask at once. */
const wanted =
  (1 << 0) | // ASYNC_READ
  (1 << 13) | // DO_READDIRPLUS
  (1 << 14) | // READDIRPLUS_AUTO
  (1 << 17) | // NO_OPEN_SUPPORT
  (1 << 18) | // PARALLEL_DIROPS
  (1 << 20) | // POSIX_ACL
  (1 << 22) | // MAX_PAGES
  (1 << 23) | // CACHE_SYMLINKS
  (1 << 24); // NO_OPENDIR_SUPPORT
/** Of one read: 1 MiB, as a frame. */
const maximumPages = 256;
/** Nothing changes: the kernel may keep what it knows for a year, as long as it likes. */
const validSeconds = 365 * 86_400;

export interface Request {
  opcode: number;
  unique: bigint;
  node: number;
  /** What follows the header. */
  body: Buffer;
}

/** A request as it is read from the device; undefined where it is cut short. */
export function parseRequest(bytes: Buffer): Request | undefined {
  if (bytes.length < inHeaderLength || bytes.readUInt32LE(0) !== bytes.length) return undefined;
  return {
    opcode: bytes.readUInt32LE(4),
    unique: bytes.readBigUInt64LE(8),
    // Numbers of nodes are ours, and small.
    node: Number(bytes.readBigUInt64LE(16)),
    body: bytes.subarray(inHeaderLength),
  };
}

/** An answer without a body, or with an error of `errors`. */
export function formatError(unique: bigint, error: number): Buffer {
  const answer = Buffer.alloc(outHeaderLength);
  return putHeader(answer, unique, outHeaderLength, error);
}

/** An answer whose body begins at `outHeaderLength` of `answer` and is `length` bytes long. */
export function finishAnswer(answer: Buffer, unique: bigint, length: number): Buffer {
  return putHeader(answer.subarray(0, outHeaderLength + length), unique, outHeaderLength + length, 0);
}

/** The body of the answer to FUSE_INIT; undefined where the kernel is too old. */
export function answerInit(body: Buffer): Buffer | undefined {
  if (body.length < 16 || body.readUInt32LE(0) !== 7 || body.readUInt32LE(4) < 28) return undefined;
  const answer = Buffer.alloc(64);
  answer.writeUInt32LE(7, 0);
  answer.writeUInt32LE(31, 4);
  answer.writeUInt32LE(body.readUInt32LE(8), 8);
  answer.writeUInt32LE((body.readUInt32LE(12) & wanted) >>> 0, 12);
  answer.writeUInt16LE(64, 16);
  answer.writeUInt16LE(48, 18);
  answer.writeUInt32LE(4096, 20);
  answer.writeUInt32LE(1, 24);
  answer.writeUInt16LE(maximumPages, 28);
  return answer;
}

/** Attributes as the kernel is told them. */
export interface NodeAttributes {
  inode: number;
  size: number;
  /** Of 512 bytes. */
  blocks: number;
  seconds: number;
  nanoseconds: number;
  /** With the type. */
  mode: number;
  links: number;
  uid: number;
  gid: number;
  /** As the kernel packs it for user space: 8 bits of the minor number, 12 of the major, the rest of the minor. */
  device: number;
}

/** `struct fuse_attr` at `at`. */
export function putAttributes(target: Buffer, at: number, attributes: NodeAttributes): void {
  const { inode, size, blocks, seconds, nanoseconds } = attributes;
  target.writeBigUInt64LE(BigInt(inode), at);
  target.writeBigUInt64LE(BigInt(size), at + 8);
  target.writeBigUInt64LE(BigInt(blocks), at + 16);
  for (const place of [24, 32, 40]) target.writeBigInt64LE(BigInt(seconds), at + place);
  for (const place of [48, 52, 56]) target.writeUInt32LE(nanoseconds, at + place);
  target.writeUInt32LE(attributes.mode, at + 60);
  target.writeUInt32LE(attributes.links, at + 64);
  target.writeUInt32LE(attributes.uid, at + 68);
  target.writeUInt32LE(attributes.gid, at + 72);
  target.writeUInt32LE(attributes.device, at + 76);
  target.writeUInt32LE(4096, at + 80);
  target.writeUInt32LE(0, at + 84);
}

/** `struct fuse_entry_out` at `at`; a node of 0 says that there is none, and may be remembered, too. */
export function putEntry(target: Buffer, at: number, node: number, attributes?: NodeAttributes): void {
  target.fill(0, at, at + entryLength);
  target.writeBigUInt64LE(BigInt(node), at);
  target.writeBigUInt64LE(BigInt(validSeconds), at + 16);
  target.writeBigUInt64LE(BigInt(validSeconds), at + 24);
  if (attributes !== undefined) putAttributes(target, at + 40, attributes);
}

/** `struct fuse_attr_out` at `at`; its length. */
export function putAttributesAnswer(target: Buffer, at: number, attributes: NodeAttributes): number {
  target.fill(0, at, at + 16);
  target.writeBigUInt64LE(BigInt(validSeconds), at);
  putAttributes(target, at + 16, attributes);
  return 16 + attributesLength;
}

/** Length of `struct fuse_dirent` with a name, as it is padded. */
export function direntLength(name: number): number {
  return (24 + name + 7) & ~7;
}

/** `struct fuse_dirent` at `at`; `next` is the offset that the directory goes on at. */
export function putDirent(
  target: Buffer,
  at: number,
  inode: number,
  next: number,
  type: number,
  name: Uint8Array,
): void {
  target.writeBigUInt64LE(BigInt(inode), at);
  target.writeBigUInt64LE(BigInt(next), at + 8);
  target.writeUInt32LE(name.length, at + 16);
  target.writeUInt32LE(type, at + 20);
  target.set(name, at + 24);
  target.fill(0, at + 24 + name.length, at + direntLength(name.length));
}

function putHeader(answer: Buffer, unique: bigint, length: number, error: number): Buffer {
  answer.writeUInt32LE(length, 0);
  answer.writeInt32LE(-error, 4);
  answer.writeBigUInt64LE(unique, 8);
  return answer;
}
