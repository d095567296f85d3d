import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface SendOptions {
  contentType: string;
  /** Whether the file never changes once it is there. */
  immutable: boolean;
}

/** What a `Range` header asks for, of a file of `size` bytes; `unsatisfiable` where there are no such bytes. */
export type ByteRange = { start: number; end: number } | 'whole' | 'unsatisfiable';

const bufferSize = 1 << 20;

/**
 * Answers GET or HEAD with a file: ranges (206, 416), `If-Range`, `If-None-Match` (304). False where there is no such
 * file. Source: RFC 9110.
 */
export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
  options: SendOptions,
): Promise<boolean> {
  const file = await openFile(path);
  if (!file) return false;
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) return false;
    const size = Number(stats.size);
    const etag = `"${stats.size.toString(16)}-${stats.mtimeNs.toString(16)}-${stats.ino.toString(16)}"`;
    const headers: Record<string, string | number> = {
      'content-type': options.contentType,
      'accept-ranges': 'bytes',
      etag,
      'last-modified': new Date(Number(stats.mtimeMs)).toUTCString(),
      'cache-control': options.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      'x-content-type-options': 'nosniff',
    };
    const { raw } = reply;
    const matches = request.headers['if-none-match'];
    reply.hijack();
    if (matches?.split(',').some((tag) => [etag, '*'].includes(tag.trim().replace(/^W\//, '')))) {
      raw.writeHead(304, headers).end();
      return true;
    }
    const ifRange = request.headers['if-range'];
    const range = ifRange !== undefined && ifRange !== etag ? 'whole' : parseRange(request.headers.range, size);
    if (range === 'unsatisfiable') {
      raw.writeHead(416, { ...headers, 'content-range': `bytes */${size}`, 'content-length': 0 }).end();
      return true;
    }
    const { start, end } = range === 'whole' ? { start: 0, end: size - 1 } : range;
    raw.writeHead(range === 'whole' ? 200 : 206, {
      ...headers,
      'content-length': end - start + 1,
      ...(range !== 'whole' && { 'content-range': `bytes ${start}-${end}/${size}` }),
    });
    if (request.method === 'HEAD' || end < start) {
      raw.end();
      return true;
    }
    const stream = file.createReadStream({ start, end, highWaterMark: bufferSize, autoClose: false });
    await pipeline(stream, raw).catch((thrown: NodeJS.ErrnoException) => {
      // A client that hangs up in the middle is no failure of ours.
      if (thrown.code !== 'ERR_STREAM_PREMATURE_CLOSE' && thrown.code !== 'ECONNRESET' && thrown.code !== 'EPIPE') {
        request.log.error({ err: thrown, path }, 'a file could not be sent');
      }
    });
    return true;
  } finally {
    await file.close();
  }
}

/**
 * One range of bytes, as `bytes=0-99`, `bytes=100-` or `bytes=-100`. Several ranges, other units and nonsense are answered
 * with the whole file, as the standard allows.
 */
export function parseRange(header: string | undefined, size: number): ByteRange {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return 'whole';
  if (match[1] === '') {
    const length = Math.min(Number(match[2]), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (match[2] !== '' && Number(match[2]) < start) return 'whole';
  return start >= size ? 'unsatisfiable' : { start, end };
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
    throw thrown;
  }
}
