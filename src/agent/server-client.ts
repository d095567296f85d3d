import { type KeyObject, randomBytes, verify } from 'node:crypto';
import {
  type ImagerEvents,
  type ImagerHello,
  type ImagerOrder,
  type ImagerOutcome,
  imagerOrderSchema,
  signedAnswerSchema,
} from '../contract/imager-protocol.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { PublicKey } from '../image/signature.ts';

/** The server as the imager speaks to it (`docs/imager-protocol.md`). */
export interface ServerClient {
  readonly url: string;
  /**
   * Asks what to do; waits up to `waitSeconds` for an order. The answer was signed by our key and answers this very question.
   * Errors: `server-unreachable`, `signature-wrong`.
   */
  hello(question: Omit<ImagerHello, 'nonce'>, signal?: AbortSignal): Promise<ImagerOrder>;
  /** Errors: `server-unreachable`. */
  events(events: ImagerEvents, signal?: AbortSignal): Promise<Reception>;
  outcome(outcome: ImagerOutcome, signal?: AbortSignal): Promise<Reception>;
}

/** What became of a report: taken in; the order is no longer ours; or the server can make nothing of it. */
export type Reception = 'taken' | 'stale' | 'refused';

const answerPatience = 20_000;
/** Not found, in conflict, gone: the order was taken back, or given to another boot of this machine. */
const staleStatuses: ReadonlySet<number> = new Set([404, 409, 410]);

/** A client of the server at `url` that trusts `key` alone. */
export function serverClient(url: string, key: PublicKey): ServerClient {
  const base = url.replace(/\/+$/, '');
  return {
    url: base,
    async hello(question, signal) {
      const nonce = randomBytes(32).toString('hex');
      const patience = question.waitSeconds * 1000 + answerPatience;
      const response = await post(base, 'hello', { ...question, nonce }, patience, signal);
      const text = await bodyOf(base, response);
      if (!response.ok) throw unreachable(base, `it answered ${response.status} ${explain(text)}`);
      return openAnswer(text, nonce, key, base);
    },
    events: (events, signal) => report(base, 'events', events, signal),
    outcome: (outcome, signal) => report(base, 'outcome', outcome, signal),
  };
}

/** The order in a signed answer. Throws `signature-wrong` for one that our key did not make, or that answers another question. */
export function openAnswer(text: string, nonce: string, key: PublicKey, server: string): ImagerOrder {
  const answer = signedAnswerSchema.safeParse(parseJson(text));
  if (!answer.success) throw unreachable(server, 'what answers there is no Imprint server');
  const { payload, signature } = answer.data;
  if (!isSigned(payload, signature, key.key)) throw wrongSignature(server, `key ${key.id}`);
  const order = imagerOrderSchema.safeParse(parseJson(payload));
  if (!order.success) throw unreachable(server, 'its order is of a kind that this imager does not know');
  if (order.data.nonce !== nonce) throw wrongSignature(server, 'it answers an older question');
  return order.data;
}

async function report(
  base: string,
  what: 'events' | 'outcome',
  body: unknown,
  signal?: AbortSignal,
): Promise<Reception> {
  const response = await post(base, what, body, answerPatience, signal);
  const text = await bodyOf(base, response);
  if (response.ok) return 'taken';
  // 408 and 429 ask for patience; any other refusal will not change.
  const hopeless =
    response.status >= 400 && response.status < 500 && response.status !== 408 && response.status !== 429;
  if (hopeless) return staleStatuses.has(response.status) ? 'stale' : 'refused';
  throw unreachable(base, `it answered ${response.status} ${explain(text)}`);
}

async function post(
  base: string,
  what: string,
  body: unknown,
  patience: number,
  signal?: AbortSignal,
): Promise<Response> {
  const limits = [AbortSignal.timeout(patience), ...(signal === undefined ? [] : [signal])];
  try {
    return await fetch(`${base}/imager/v1/${what}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.any(limits),
    });
  } catch (thrown) {
    throw lost(base, thrown, signal);
  }
}

async function bodyOf(base: string, response: Response): Promise<string> {
  return response.text().catch((thrown) => {
    throw lost(base, thrown);
  });
}

function lost(base: string, thrown: unknown, signal?: AbortSignal): ImprintError {
  if (signal?.aborted) return new ImprintError('interrupted', {}, { cause: thrown });
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const cause = error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
  return unreachable(base, error.name === 'TimeoutError' ? 'no answer in time' : cause, thrown);
}

function unreachable(server: string, problem: string, cause?: unknown): ImprintError {
  return new ImprintError('server-unreachable', { server, problem: problem.trim() }, { cause });
}

function wrongSignature(server: string, key: string): ImprintError {
  return new ImprintError('signature-wrong', { what: `the answer of ${server}`, key });
}

function isSigned(payload: string, signature: string, key: KeyObject): boolean {
  try {
    return verify(null, Buffer.from(payload, 'utf8'), key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

function explain(text: string): string {
  const body = parseJson(text);
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined;
  return typeof message === 'string' ? `(${message})` : '';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
