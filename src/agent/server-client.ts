import {
  type ImagerEvents,
  type ImagerHello,
  type ImagerOrder,
  type ImagerOutcome,
  imagerOrderSchema,
} from '../contract/imager-protocol.ts';
import type { PublicKey } from '../image/signature.ts';
import { type Reception, signedWire } from './signed-wire.ts';

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

/** A client of the server at `url` that trusts `key` alone. */
export function serverClient(url: string, key: PublicKey): ServerClient {
  const wire = signedWire(url, 'imager/v1', key, imagerOrderSchema);
  return {
    url: wire.url,
    hello: wire.ask,
    events: (events, signal) => wire.tell('events', events, signal),
    outcome: (outcome, signal) => wire.tell('outcome', outcome, signal),
  };
}
