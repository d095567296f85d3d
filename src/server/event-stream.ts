import type { FastifyReply, FastifyRequest } from 'fastify';

/** One connection of server-sent events. Source: the HTML standard, “Server-sent events”. */
export interface EventStream {
  /** `data` becomes JSON on one line. */
  send(event: string, data: unknown, id?: number): void;
  /** Ends the stream for good: the event `end` tells the client not to come back. */
  end(data: unknown): void;
  /** Closes it without a word: the client comes back. */
  close(): void;
  readonly closed: boolean;
  onClose(listener: () => void): void;
}

/** A comment this often keeps proxies from thinking that nobody is there. */
const keepAlive = 15_000;
/** A client that reads so much too slowly is cut off; it comes back and goes on where it was. */
const mostUnsent = 4 << 20;

/** Turns an answer into an event stream. */
export function openEventStream(reply: FastifyReply): EventStream {
  const { raw } = reply;
  reply.hijack();
  raw.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    connection: 'keep-alive',
  });
  raw.write('retry: 1000\n\n');
  raw.on('error', () => {});
  const timer = setInterval(() => write(': still here\n\n'), keepAlive);
  timer.unref();
  raw.on('close', () => clearInterval(timer));
  const write = (text: string): void => {
    if (raw.destroyed || raw.writableEnded) return;
    raw.write(text);
    if (raw.writableLength > mostUnsent) raw.destroy();
  };
  return {
    send: (event, data, id) => {
      write(`${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    },
    end: (data) => {
      write(`event: end\ndata: ${JSON.stringify(data)}\n\n`);
      raw.end();
    },
    close: () => raw.end(),
    get closed() {
      return raw.destroyed || raw.writableEnded;
    },
    onClose: (listener) => {
      raw.on('close', listener);
    },
  };
}

/** After which event the client wants to go on: `Last-Event-ID` of a reconnect, or `?after=`. */
export function resumePoint(
  request: FastifyRequest<{ Querystring: { after?: number | undefined } }>,
): number | undefined {
  const header = request.headers['last-event-id'];
  if (typeof header === 'string' && /^\d{1,15}$/.test(header)) return Number(header);
  return request.query.after;
}
