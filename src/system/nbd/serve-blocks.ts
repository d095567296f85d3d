import { createServer, type Server, type Socket } from 'node:net';
import { type BlockRequest, commands, errors, RequestReader, replyHead } from './protocol.ts';

/** Bytes of a device that nobody writes. Rejects only where it has been given up: the kernel then has an I/O error. */
export type ReadBlocks = (position: number, length: number) => Promise<Uint8Array>;

/** The most that is read for the kernel at a time, and how much of it is on its way before more is taken from the socket. */
const longest = 32 << 20;

/**
 * Serves a device on a Unix socket to the kernel's network block device, attached without a negotiation (`nbd-client -unix PATH -preinit -size BYTES`).
 * Requests are answered as they are ready, in any order; writes are refused.
 */
export class BlockServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens. Errors: of the socket, as Node has them (`EADDRINUSE`, `EACCES`). */
  static async listen(path: string, size: number, read: ReadBlocks): Promise<BlockServer> {
    const server = createServer();
    const serving = new BlockServer(server);
    server.on('connection', (socket) => serving.#serve(socket, size, read));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve());
    });
    return serving;
  }

  #serve(socket: Socket, size: number, read: ReadBlocks): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    // Whoever attached the device is gone: it comes again, or nobody wants it any more.
    socket.on('error', () => socket.destroy());
    const reader = new RequestReader();
    let waiting = 0;
    socket.on('data', (bytes: Buffer) => {
      let requests: BlockRequest[];
      try {
        requests = reader.add(bytes);
      } catch {
        socket.destroy();
        return;
      }
      for (const request of requests) {
        if (request.command === commands.disconnect) {
          socket.end();
          return;
        }
        waiting += request.length;
        if (waiting > longest) socket.pause();
        void answer(request, size, read).then(([head, content]) => {
          waiting -= request.length;
          if (waiting <= longest) socket.resume();
          if (socket.destroyed) return;
          socket.cork();
          socket.write(head);
          if (content !== undefined) socket.write(content);
          socket.uncork();
        });
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function answer(
  { command, cookie, offset, length }: BlockRequest,
  size: number,
  read: ReadBlocks,
): Promise<readonly [Buffer, Uint8Array?]> {
  if (command === commands.flush) return [replyHead(cookie)];
  if (command === commands.write || command === commands.trim) return [replyHead(cookie, errors.permission)];
  if (command !== commands.read || length > longest || offset + length > size)
    return [replyHead(cookie, errors.invalid)];
  try {
    return [replyHead(cookie), await read(offset, length)];
  } catch {
    return [replyHead(cookie, errors.io)];
  }
}
