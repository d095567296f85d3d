import { type KeyObject, randomBytes, verify } from 'node:crypto';
import { signedAnswerSchema } from '../contract/imager-protocol.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { PublicKey } from '../image/signature.ts';
import { type PostAnswer, postJson } from './post-json.ts';

/** What became of a report: taken in; the order is no longer ours; or the server can make nothing of it. */
export type Reception = 'taken' | 'stale' | 'refused';

/** What every signed answer has. */
export interface SignedOrder {
  nonce: string;
  /** Server's time, milliseconds since 1970. */
  time: number;
}

interface OrderSchema<Order> {
  safeParse(value: unknown): { success: true; data: Order } | { success: false };
}

/** Questions that get signed answers, and reports that get none. Errors: `server-unreachable`, `signature-wrong`, `interrupted`. */
export interface SignedWire<Order extends SignedOrder> {
  readonly url: string;
  /** Asks `hello`; the answer was signed by our key and answers this very question. */
  ask(question: { waitSeconds: number }, signal?: AbortSignal, what?: 'hello' | 'scripts'): Promise<Order>;
  tell(what: 'events' | 'outcome' | 'object', body: unknown, signal?: AbortSignal): Promise<Reception>;
}

/** A server as one kind of program speaks to it, the wire with its own words. */
export interface SignedClient<Hello, Events, Outcome, Order extends SignedOrder> {
  readonly url: string;
  /** Asks what to do; waits up to `waitSeconds` for an order. The answer was signed by our key and answers this very question. */
  hello(question: Omit<Hello, 'nonce'>, signal?: AbortSignal): Promise<Order>;
  /** As `hello`, but for `signature-wrong`: a report gets no answer that anything follows from. */
  events(events: Events, signal?: AbortSignal): Promise<Reception>;
  outcome(outcome: Outcome, signal?: AbortSignal): Promise<Reception>;
}

const answerPatience = 20_000;
/** Not found, in conflict, gone: the order was taken back, or given to another boot of this machine. */
const staleStatuses: ReadonlySet<number> = new Set([404, 409, 410]);

/** The wire to the server at `url`, below `prefix` (`imager/v1`), that trusts `key` alone. */
export function signedWire<Order extends SignedOrder>(
  url: string,
  prefix: string,
  key: PublicKey,
  schema: OrderSchema<Order>,
): SignedWire<Order> {
  const server = url.replace(/\/+$/, '');
  return {
    url: server,
    async ask(question, signal, what = 'hello') {
      const nonce = randomBytes(32).toString('hex');
      const patience = question.waitSeconds * 1000 + answerPatience;
      const response = await post(server, `${prefix}/${what}`, { ...question, nonce }, patience, signal);
      if (!isOk(response)) throw unreachable(server, `it answered ${response.status} ${explain(response.text)}`);
      return openSigned(response.text, { nonce, key, server, schema });
    },
    tell: (what, body, signal) => report(server, `${prefix}/${what}`, body, signal),
  };
}

/** The client of a wire whose questions and reports are of these types. */
export function signedClient<Hello extends { waitSeconds: number }, Events, Outcome, Order extends SignedOrder>(
  wire: SignedWire<Order>,
): SignedClient<Hello, Events, Outcome, Order> {
  return {
    url: wire.url,
    hello: (question, signal) => wire.ask(question, signal),
    events: (events, signal) => wire.tell('events', events, signal),
    outcome: (outcome, signal) => wire.tell('outcome', outcome, signal),
  };
}

/** The order in a signed answer. Throws `signature-wrong` for one that our key did not make, or that answers another question. */
export function openSigned<Order extends SignedOrder>(
  text: string,
  { nonce, key, server, schema }: { nonce: string; key: PublicKey; server: string; schema: OrderSchema<Order> },
): Order {
  const answer = signedAnswerSchema.safeParse(parseJson(text));
  if (!answer.success) throw unreachable(server, 'what answers there is no Imprint server');
  const { payload, signature } = answer.data;
  if (!isSigned(payload, signature, key.key)) throw wrongSignature(server, `key ${key.id}`);
  const order = schema.safeParse(parseJson(payload));
  if (!order.success) throw unreachable(server, 'its order is of a kind that this program does not know');
  if (order.data.nonce !== nonce) throw wrongSignature(server, 'it answers an older question');
  return order.data;
}

async function report(base: string, what: string, body: unknown, signal?: AbortSignal): Promise<Reception> {
  const response = await post(base, what, body, answerPatience, signal);
  if (isOk(response)) return 'taken';
  // 408 and 429 ask for patience; any other refusal will not change.
  const hopeless =
    response.status >= 400 && response.status < 500 && response.status !== 408 && response.status !== 429;
  if (hopeless) return staleStatuses.has(response.status) ? 'stale' : 'refused';
  throw unreachable(base, `it answered ${response.status} ${explain(response.text)}`);
}

async function post(
  base: string,
  what: string,
  body: unknown,
  patience: number,
  signal?: AbortSignal,
): Promise<PostAnswer> {
  const limits = [AbortSignal.timeout(patience), ...(signal === undefined ? [] : [signal])];
  try {
    return await postJson(`${base}/${what}`, body, AbortSignal.any(limits));
  } catch (thrown) {
    throw lost(base, thrown, signal);
  }
}

function isOk({ status }: PostAnswer): boolean {
  return status >= 200 && status < 300;
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
