import { type Clock, systemClock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import { FormatError } from '../image/format-error.ts';
import type { FileState, RangeSink, StoreFiles } from './store-files.ts';

export interface HttpOptions {
  /** Ends every request under way with the signal's reason. */
  signal?: AbortSignal;
  clock?: Clock;
  /**
   * How often a request that failed for want of an answer is tried again; waits 0.25 s, 0.5 s, 1 s … 8 s between. Absent: 6
   * times where the server has answered before, else twice, so that a wrong address is told soon.
   */
  retries?: number;
  /** Milliseconds without a byte after which a connection counts as dead. */
  stall?: number;
}

const retriesOfKnown = 6;
const retriesOfUnknown = 2;
const defaultStall = 20_000;

/**
 * The files of a store behind plain HTTP: any web server that serves ranges. What was received before a connection broke is
 * kept; the next try asks for the rest.
 */
export class HttpFiles implements StoreFiles {
  readonly location: string;
  readonly traffic = { bytes: 0, requests: 0 };
  readonly #base: string;
  readonly #clock: Clock;
  readonly #retries: number | undefined;
  readonly #stall: number;
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;
  #answered = false;

  constructor(url: string, options: HttpOptions = {}) {
    this.location = url.replace(/\/+$/, '');
    this.#base = `${this.location}/`;
    this.#clock = options.clock ?? systemClock;
    this.#retries = options.retries;
    this.#stall = options.stall ?? defaultStall;
    this.#signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
  }

  async read(path: string, limit: number): Promise<Buffer | undefined> {
    return this.#retrying(async (attempt) => {
      const response = await this.#request(attempt, path, {});
      if (response === undefined) return undefined;
      const parts: Uint8Array[] = [];
      let length = 0;
      for await (const part of this.#body(attempt, response)) {
        length += part.length;
        if (length > limit) throw new FormatError('it is far too long');
        parts.push(part);
      }
      return Buffer.concat(parts);
    });
  }

  async readRange(path: string, offset: number, length: number): Promise<Buffer | undefined> {
    const buffer = Buffer.allocUnsafeSlow(length);
    let done = 0;
    return this.#retrying(
      async (attempt) => {
        if (done === length) return buffer;
        const from = offset + done;
        const response = await this.#request(attempt, path, { range: `bytes=${from}-${offset + length - 1}` });
        if (response === undefined) return undefined;
        if (response.status === 416) return buffer.subarray(0, done);
        // A server that ignores ranges sends the file from its beginning.
        let skip = response.status === 206 ? from - rangeStart(response) : from;
        if (skip < 0) throw new Error('the server sent another range than was asked for');
        for await (const part of this.#body(attempt, response)) {
          const useful = skip >= part.length ? part.subarray(part.length) : part.subarray(skip);
          skip -= Math.min(skip, part.length);
          const fitting = useful.subarray(0, length - done);
          buffer.set(fitting, done);
          done += fitting.length;
          if (done === length) break;
        }
        return buffer.subarray(0, done);
      },
      () => done,
    );
  }

  async length(path: string): Promise<number | undefined> {
    return this.#retrying(async (attempt) => {
      const response = await this.#request(attempt, path, {}, 'HEAD');
      if (response === undefined) return undefined;
      const length = Number(response.headers.get('content-length') ?? Number.NaN);
      if (!Number.isSafeInteger(length)) throw new Error('the server does not say how long it is');
      return length;
    });
  }

  async state(path: string): Promise<FileState | 'later' | undefined> {
    return this.#retrying(async (attempt) => {
      const response = await this.#request(attempt, path, {}, 'HEAD', (answer) => answer.headers.has('retry-after'));
      if (response === undefined) return undefined;
      if (response.status === 503) return 'later';
      const length = Number(response.headers.get('content-length') ?? Number.NaN);
      if (!Number.isSafeInteger(length)) throw new Error('the server does not say how long it is');
      const tag = strongTag(response);
      return tag === undefined ? { length } : { length, tag };
    });
  }

  async copy(
    path: string,
    { offset, length, tag }: { offset: number; length: number; tag?: string },
    sink: RangeSink,
  ): Promise<boolean> {
    let done = 0;
    return this.#retrying(
      async (attempt) => {
        if (done === length) return true;
        const from = offset + done;
        const response = await this.#request(attempt, path, { range: `bytes=${from}-${offset + length - 1}` });
        if (response === undefined || response.status === 416) return false;
        if (tag !== undefined && strongTag(response) !== tag) return false;
        let skip = response.status === 206 ? from - rangeStart(response) : from;
        if (skip < 0) throw new Error('the server sent another range than was asked for');
        for await (const part of this.#body(attempt, response)) {
          const useful = part.subarray(Math.min(skip, part.length)).subarray(0, length - done);
          skip -= Math.min(skip, part.length);
          if (useful.length === 0) continue;
          await attempt.pausing(async () => sink(useful, offset + done)).catch(endWith);
          done += useful.length;
          if (done === length) return true;
        }
        if (done < length) throw new Error('the connection was cut');
        return true;
      },
      () => done,
    );
  }

  localPath(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    this.#closed.abort(new ImprintError('internal', { problem: `${this.location} was closed` }));
  }

  /** The answer; undefined for “not there”. What may pass by itself is thrown as a plain error, to be tried again. */
  async #request(
    attempt: Attempt,
    path: string,
    headers: Record<string, string>,
    method = 'GET',
    takes: (response: Response) => boolean = () => false,
  ): Promise<Response | undefined> {
    this.traffic.requests += 1;
    const response = await fetch(this.#base + path.split('/').map(encodeURIComponent).join('/'), {
      method,
      headers: { 'accept-encoding': 'identity', ...headers },
      signal: attempt.signal,
    });
    this.#answered = true;
    const { status } = response;
    if (status === 200 || status === 206 || status === 416 || takes(response)) return response;
    await response.body?.cancel();
    if (status === 404 || status === 410) return undefined;
    const problem = `it answers ${status} ${response.statusText}`.trim();
    if (status === 408 || status === 429 || status >= 500) throw new Error(problem);
    throw new ImprintError('store-unreachable', { store: this.location, problem });
  }

  async *#body(attempt: Attempt, response: Response): AsyncGenerator<Uint8Array> {
    if (response.body === null) return;
    for await (const part of response.body) {
      attempt.alive();
      this.traffic.bytes += part.length;
      yield part;
    }
  }

  /** Tries `work` until it succeeds or has failed too often without getting any further, by what `progress` counts. */
  async #retrying<Result>(work: (attempt: Attempt) => Promise<Result>, progress = () => 0): Promise<Result> {
    for (let tries = 0, reached = 0; ; tries += 1) {
      this.#signal.throwIfAborted();
      const attempt = new Attempt(this.#signal, this.#stall);
      try {
        return await work(attempt);
      } catch (error) {
        this.#signal.throwIfAborted();
        if (error instanceof ImprintError || error instanceof FormatError) throw error;
        if (error instanceof TakerFailure) throw error.cause;
        if (progress() > reached) tries = 0;
        reached = progress();
        if (tries >= (this.#retries ?? (this.#answered ? retriesOfKnown : retriesOfUnknown)))
          throw new ImprintError(
            'store-unreachable',
            { store: this.location, problem: problemOf(error) },
            { cause: error },
          );
        await this.#clock.sleep(Math.min(250 * 2 ** tries, 8000), this.#signal);
      } finally {
        attempt.end();
      }
    }
  }
}

/** Whoever takes the bytes cannot go on: no fault of the server, and nothing to be tried again. */
class TakerFailure extends Error {}

function endWith(cause: unknown): never {
  throw new TakerFailure('what takes the bytes has failed', { cause });
}

/** One try of a request: gives up when nothing came for a while. */
class Attempt {
  readonly signal: AbortSignal;
  readonly #stalled = new AbortController();
  readonly #milliseconds: number;
  #timer: NodeJS.Timeout;

  constructor(outer: AbortSignal, milliseconds: number) {
    this.#milliseconds = milliseconds;
    this.signal = AbortSignal.any([outer, this.#stalled.signal]);
    this.#timer = this.#arm();
  }

  alive(): void {
    this.#timer.refresh();
  }

  /** Runs work of our own that may take its time: the server is not to blame for it. */
  async pausing(work: () => Promise<void>): Promise<void> {
    clearTimeout(this.#timer);
    await work();
    this.#timer = this.#arm();
  }

  end(): void {
    clearTimeout(this.#timer);
    // Ends a body that nobody read to its end, so that its connection is given back.
    this.#stalled.abort();
  }

  #arm(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#stalled.abort(new Error(`nothing came for ${this.#milliseconds / 1000} seconds`));
    }, this.#milliseconds);
  }
}

/** The entity tag by which a range of a file can be told to be of the same file; a weak one does not do. */
function strongTag(response: Response): string | undefined {
  const tag = response.headers.get('etag') ?? undefined;
  return tag?.startsWith('"') ? tag : undefined;
}

function rangeStart(response: Response): number {
  const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
  if (start === undefined) throw new Error('the server sent a range without saying which');
  return Number(start);
}

/** `fetch failed` says nothing; its cause does. */
function problemOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code, message } = inner as NodeJS.ErrnoException;
  const words: Record<string, string> = {
    ECONNREFUSED: 'the connection was refused',
    ECONNRESET: 'the connection was cut',
    ENOTFOUND: 'there is no such host',
    EHOSTUNREACH: 'the host cannot be reached',
    ENETUNREACH: 'the network cannot be reached',
    ETIMEDOUT: 'it took too long',
    UND_ERR_CONNECT_TIMEOUT: 'it took too long',
    UND_ERR_SOCKET: 'the connection was cut',
  };
  return (code === undefined ? undefined : words[code]) ?? message;
}
