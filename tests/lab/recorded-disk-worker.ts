import { openSync, readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import {
  answerInit,
  errors,
  finishAnswer,
  formatError,
  opcodes,
  outHeaderLength,
  putAttributesAnswer,
  type Request,
} from '../../src/system/fuse/protocol.ts';
import { answerRequests } from '../../src/system/fuse/request-loop.ts';
import { formatLogEntry, formatLogSuper, logFlags, logSector } from './write-log.ts';

/** The thread behind `recorded-disk`: answers the kernel for one file, which is a disk, and notes what is written to it. */

export interface RecordedDiskData {
  /** `/dev/fuse`, of the mount. */
  readonly device: number;
  readonly file: string;
  readonly size: number;
  readonly log: string;
}

const port = parentPort;
if (port === null) throw new Error('recorded-disk-worker runs as a thread only');
const { device, file, size, log } = workerData as RecordedDiskData;
/** Opcodes and flags of linux/fuse.h that a file system which is only read does not need. */
const writing = { setattr: 4, write: 16, fsync: 20, setxattr: 21, flush: 25, fallocate: 43 };
const bigWrites = 1 << 5;
const punchesHole = 0x02;
const zeroesRange = 0x10;
const largest = 1 << 20;

const disk = openSync(file, 'r+');
const journal = openSync(log, 'r+');
let logAt = logSector;
let entries = 0;
const answer = Buffer.alloc(largest + outHeaderLength);
const zeros = Buffer.alloc(largest);
writeSync(journal, formatLogSuper(0), 0, logSector, 0);

function note(flags: number, offset: number, length: number, data: Buffer): void {
  writeSync(journal, formatLogEntry(flags, offset, length, data.length), 0, logSector, logAt);
  logAt += logSector;
  writeSync(journal, data, 0, data.length, logAt);
  logAt += Math.ceil(data.length / logSector) * logSector;
  entries += 1;
  if (flags & logFlags.flush) writeSync(journal, formatLogSuper(entries), 0, logSector, 0);
}

/** What was cut off at a sector's border by the kernel above is no business of a disk: it writes whole sectors only. */
function wholeSectors(offset: number, length: number): boolean {
  return offset % logSector === 0 && length % logSector === 0;
}

function write({ unique, body }: Request): Buffer {
  const offset = Number(body.readBigUInt64LE(8));
  const length = body.readUInt32LE(16);
  const data = body.subarray(40, 40 + length);
  if (!wholeSectors(offset, length) || offset + length > size) return formatError(unique, errors.invalid);
  writeSync(disk, data, 0, length, offset);
  note(0, offset, length, data);
  answer.writeUInt32LE(length, outHeaderLength);
  answer.writeUInt32LE(0, outHeaderLength + 4);
  return finishAnswer(answer, unique, 8);
}

function discard({ unique, body }: Request): Buffer {
  const offset = Number(body.readBigUInt64LE(8));
  const length = Number(body.readBigUInt64LE(16));
  if ((body.readUInt32LE(24) & (punchesHole | zeroesRange)) === 0) return formatError(unique, errors.noSystemCall);
  for (let done = 0; done < length; done += largest) {
    const piece = Math.min(largest, length - done);
    // What is zero already stays a hole.
    const got = readSync(disk, answer, 0, piece, offset + done);
    if (answer.compare(zeros, 0, got, 0, got) !== 0) writeSync(disk, zeros, 0, piece, offset + done);
  }
  note(logFlags.discard, offset, length, Buffer.alloc(0));
  return formatError(unique, 0);
}

function read({ unique, body }: Request): Buffer {
  const wanted = Math.min(body.readUInt32LE(16), largest);
  const got = readSync(disk, answer, outHeaderLength, wanted, Number(body.readBigUInt64LE(8)));
  return finishAnswer(answer, unique, got);
}

function attributes(unique: bigint): Buffer {
  const length = putAttributesAnswer(answer, outHeaderLength, {
    ...{ inode: 1, size, blocks: size / 512, seconds: 0, nanoseconds: 0, mode: 0o100600, links: 1 },
    ...{ uid: 0, gid: 0, device: 0 },
  });
  return finishAnswer(answer, unique, length);
}

function init({ unique, body }: Request): Buffer {
  const made = answerInit(body);
  if (made === undefined) return formatError(unique, errors.invalid);
  made.writeUInt32LE((made.readUInt32LE(12) | bigWrites) >>> 0, 12);
  made.writeUInt32LE(largest, 20);
  answer.set(made, outHeaderLength);
  return finishAnswer(answer, unique, made.length);
}

function answerTo(request: Request): Buffer | undefined {
  const { opcode, unique } = request;
  switch (opcode) {
    case opcodes.forget:
    case opcodes.interrupt:
    case opcodes.batchForget:
      return undefined;
    case opcodes.getattr:
    // Times that the kernel keeps: a disk has none, and one size.
    case writing.setattr:
      return attributes(unique);
    case opcodes.read:
      return read(request);
    case writing.write:
      return write(request);
    case writing.fsync:
      note(logFlags.flush, 0, 0, Buffer.alloc(0));
      return formatError(unique, 0);
    case writing.setxattr:
      return takeMark(request);
    case writing.flush:
      return formatError(unique, 0);
    case writing.fallocate:
      return discard(request);
    case opcodes.init:
      return init(request);
    default:
      return formatError(unique, errors.noSystemCall);
  }
}

/** A mark comes in as an attribute of the file: `struct fuse_setxattr_in` (size, flags), its name, a zero, its value. */
function takeMark({ unique, body }: Request): Buffer {
  note(logFlags.mark, 0, 0, Buffer.from(body.subarray(body.length - body.readUInt32LE(0))));
  return formatError(unique, 0);
}

answerRequests({
  device,
  longest: largest + 4096,
  answer(request) {
    try {
      return answerTo(request);
    } catch {
      return formatError(request.unique, errors.io);
    }
  },
});
port.close();
