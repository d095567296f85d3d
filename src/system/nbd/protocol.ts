/**
 * What the kernel's network block device says over its socket once it is attached (the transmission phase, simple replies). Numbers are
 * big-endian. Source: `doc/proto.md` of the project NetworkBlockDevice/nbd.
 */

export const requestLength = 28;
export const replyLength = 16;

const requestMagic = 0x25609513;
const replyMagic = 0x67446698;

export const commands = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4 } as const;
/** As errno has them, which the protocol takes over. */
export const errors = { permission: 1, io: 5, invalid: 22 } as const;

export interface BlockRequest {
  command: number;
  /** Names the request in its reply. */
  cookie: Uint8Array;
  /** Bytes. */
  offset: number;
  length: number;
}

/** One request. Throws a `RangeError` where it is none: the stream is lost then, for nobody knows where the next one begins. */
export function parseRequest(bytes: Uint8Array): BlockRequest {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (header.length < requestLength || header.readUInt32BE(0) !== requestMagic)
    throw new RangeError('it is no request of a block device');
  return {
    command: header.readUInt16BE(6),
    cookie: Uint8Array.prototype.slice.call(header, 8, 16),
    offset: Number(header.readBigUInt64BE(16)),
    length: header.readUInt32BE(24),
  };
}

/** The head of a reply; what was read follows it, where there is no error. */
export function replyHead(cookie: Uint8Array, error = 0): Buffer {
  const head = Buffer.alloc(replyLength);
  head.writeUInt32BE(replyMagic, 0);
  head.writeUInt32BE(error, 4);
  head.set(cookie, 8);
  return head;
}

/** Takes requests out of a stream that comes in pieces of any length. */
export class RequestReader {
  #rest = Buffer.alloc(0);
  /** Bytes of a request that are passed over: what a write brings with it, which is refused. */
  #skip = 0;

  /** The requests that are whole with these bytes. Throws a `RangeError` where the stream is none of requests. */
  add(bytes: Uint8Array): BlockRequest[] {
    let left = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    const requests: BlockRequest[] = [];
    for (;;) {
      const passed = Math.min(this.#skip, left.length);
      this.#skip -= passed;
      left = left.subarray(passed);
      if (left.length < requestLength) break;
      const request = parseRequest(left);
      left = left.subarray(requestLength);
      if (request.command === commands.write) this.#skip = request.length;
      requests.push(request);
    }
    this.#rest = left;
    return requests;
  }
}
