import { chmod, mkdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

/** Answers one line by lines. What it throws ends the connection. */
export type AnswerLine = (line: string, reply: (line: string) => void, gone: AbortSignal) => Promise<void>;

/** A request is short; who sends more than this is none of ours. */
const longest = 256 << 10;

/** A Unix socket on which each connection brings one line and gets lines. Only the user that listens may connect. */
export class LineSocket implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Errors: of the socket, as Node has them. */
  static async listen(path: string, answer: AnswerLine): Promise<LineSocket> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rm(path, { force: true });
    const server = createServer();
    const listening = new LineSocket(server);
    server.on('connection', (socket) => listening.#serve(socket, answer));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve());
    });
    await chmod(path, 0o600);
    return listening;
  }

  #serve(socket: Socket, answer: AnswerLine): void {
    this.#sockets.add(socket);
    const gone = new AbortController();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    let text = '';
    let asked = false;
    socket.setEncoding('utf8');
    socket.on('data', (more: string) => {
      if (asked) return;
      text += more;
      const end = text.indexOf('\n');
      if (end < 0) {
        if (text.length > longest) socket.destroy();
        return;
      }
      asked = true;
      const reply = (line: string) => {
        if (!socket.destroyed && !socket.writableEnded) socket.write(`${line}\n`);
      };
      answer(text.slice(0, end), reply, gone.signal).then(
        () => socket.end(),
        () => socket.destroy(),
      );
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Sends a line and gives the lines that come back. Errors: of the socket, as Node has them (`ENOENT`, `EACCES`); the signal's reason. */
export async function* askLines(path: string, line: string, signal: AbortSignal): AsyncGenerator<string> {
  signal.throwIfAborted();
  const socket = connect(path);
  const stop = () => socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve());
      socket.once('error', reject);
      socket.once('close', () => reject(signal.reason));
    });
    socket.on('error', stop);
    socket.write(`${line}\n`);
    for await (const each of createInterface({ input: socket })) yield each;
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}
