import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { z } from 'zod';
import type { Operation } from '../contract/operation.ts';
import type { Clock } from '../foundation/clock.ts';
import { systemClock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { DataPaths } from '../operations/data-paths.ts';
import { parseEventStream, type ServerSentEvent } from './event-stream.ts';
import { readBody, sendRequest, unreachable } from './http-request.ts';
import { parseInput } from './parse-input.ts';

export interface ServerClientOptions {
  /** `http://host:port`. */
  url: string;
  token?: string | undefined;
  signal: AbortSignal;
  clock?: Clock;
}

/** Operations of the contract over HTTP, with the same input, output and errors as in-process. */
export class ServerClient {
  readonly url: string;
  readonly #token: string | undefined;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;

  constructor(options: ServerClientOptions) {
    this.url = options.url.replace(/\/+$/, '');
    this.#token = options.token;
    this.#signal = options.signal;
    this.#clock = options.clock ?? systemClock;
  }

  /** Calls an operation. Throws what the operation throws, `not-authorised` or `server-unreachable`. */
  async call<Input extends z.ZodType, Output extends z.ZodType>(
    operation: Operation<Input, Output>,
    input: z.input<Input>,
  ): Promise<z.output<Output>> {
    parseInput(operation.input, input);
    const url = this.#address(`/api/v1/${operation.name}`);
    const reads = operation.effect === 'read';
    if (reads) {
      for (const [name, value] of Object.entries(input as Record<string, unknown>)) {
        if (value !== undefined) url.searchParams.set(name, String(value));
      }
    }
    const response = await sendRequest({
      url,
      method: reads ? 'GET' : 'POST',
      headers: this.#headers(reads ? {} : { 'content-type': 'application/json' }),
      ...(reads ? {} : { body: JSON.stringify(input) }),
      signal: this.#signal,
      server: this.url,
      timeout: 30_000,
    });
    const text = await readBody(response, this.url, this.#signal);
    const status = response.statusCode ?? 0;
    if (status >= 400) throw errorOf(status, text, this.url);
    try {
      return JSON.parse(text === '' ? '{}' : text) as z.output<Output>;
    } catch (error) {
      throw unreachable(this.url, new Error('what answers there is no Imprint server', { cause: error }));
    }
  }

  /**
   * A stream of server-sent events from `path`. Where the connection is lost it is made again, with `Last-Event-ID`, so
   * that nothing is missed; `lost` hears of it. Ends when the server says that the stream is over: by an event named
   * `end`, or by HTTP 204. The first connection must succeed.
   */
  async *events(path: string, lost: (problem: string) => void = () => {}): AsyncGenerator<ServerSentEvent> {
    let last: string | undefined;
    let tries = 0;
    for (;;) {
      try {
        const response = await sendRequest({
          url: this.#address(path),
          method: 'GET',
          headers: this.#headers({
            accept: 'text/event-stream',
            ...(last === undefined ? {} : { 'last-event-id': last }),
          }),
          signal: this.#signal,
          server: this.url,
          timeout: 30_000,
        });
        const status = response.statusCode ?? 0;
        if (status === 204) return;
        if (status >= 400) throw errorOf(status, await readBody(response, this.url, this.#signal), this.url);
        for await (const event of parseEventStream(response)) {
          if (tries > 1) lost('');
          tries = 1;
          last = event.id ?? last;
          if (event.event === 'end') return;
          yield event;
        }
        tries = Math.max(tries, 1);
      } catch (thrown) {
        this.#signal.throwIfAborted();
        if (thrown instanceof ImprintError && thrown.code !== 'server-unreachable') throw thrown;
        if (tries === 0) throw thrown;
      }
      if (tries === 1) lost(this.url);
      tries += 1;
      await this.#clock.sleep(Math.min(5000, 250 * 2 ** (tries - 2)), this.#signal);
    }
  }

  #address(path: string): URL {
    return new URL(`${this.url}${path}`);
  }

  #headers(more: Record<string, string>): Record<string, string> {
    return { accept: 'application/json', ...(this.#token ? { authorization: `Bearer ${this.#token}` } : {}), ...more };
  }
}

export interface ServerSearch {
  paths: DataPaths;
  /** From `--server` or `IMPRINT_SERVER`. */
  url?: string;
  token?: string;
  signal: AbortSignal;
}

/**
 * A client for the server that was named, or for the one that runs on the data directory; undefined where there is
 * neither. Does not connect yet.
 */
export async function findServer(search: ServerSearch): Promise<ServerClient | undefined> {
  const running = await readRunningServer(search.paths.serverFile);
  const named = search.url === undefined ? undefined : normaliseUrl(search.url);
  const url = named ?? running;
  if (url === undefined) return undefined;
  // The admin token of this machine goes to this machine's own server only, whatever URL somebody was talked into.
  const token =
    search.token ?? (url === running || isOwnHost(url) ? await readToken(search.paths.adminToken) : undefined);
  return new ServerClient({ url, token, signal: search.signal });
}

function normaliseUrl(text: string): string {
  const url = /^https?:\/\//.test(text) ? text : `http://${text}`;
  try {
    return new URL(url).href.replace(/\/+$/, '');
  } catch (error) {
    const hint = 'Write it as http://HOST:PORT.';
    throw new ImprintError('usage', { problem: `“${text}” is not the URL of a server.`, hint }, { cause: error });
  }
}

async function readRunningServer(file: string): Promise<string | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (typeof value !== 'object' || value === null || !('url' in value) || typeof value.url !== 'string')
      return undefined;
    // A server that was killed leaves its file behind.
    if ('pid' in value && typeof value.pid === 'number' && !isAlive(value.pid)) return undefined;
    return normaliseUrl(value.url);
  } catch {
    // Not there, or being written: no server that we could use runs here.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readToken(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    // Not for this user: the server then says that it wants a token.
    return undefined;
  }
}

function isOwnHost(url: string): boolean {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return true;
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === host));
}

function errorOf(status: number, text: string, server: string): ImprintError {
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const error = (typeof value.error === 'object' && value.error !== null ? value.error : value) as {
      code?: unknown;
      message?: unknown;
      details?: Record<string, string | number>;
    };
    if (typeof error.code === 'string' && typeof error.message === 'string') {
      return ImprintError.fromValue({
        code: error.code,
        message: error.message,
        ...(error.details ? { details: error.details } : {}),
      });
    }
  } catch {
    // Not JSON: something that is not Imprint answered.
  }
  if (status === 401 || status === 403) return new ImprintError('not-authorised', {});
  return new ImprintError('server-unreachable', { server, problem: `something else does, with HTTP status ${status}` });
}
