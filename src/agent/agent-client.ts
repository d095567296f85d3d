import {
  type AgentEvents,
  type AgentHello,
  type AgentOrder,
  type AgentOutcome,
  agentOrderSchema,
} from '../contract/agent-protocol.ts';
import type { PublicKey } from '../image/signature.ts';
import { type Reception, signedWire } from './signed-wire.ts';

/** The server as the agent speaks to it (`docs/agent.md`). Errors: `server-unreachable`, `signature-wrong`. */
export interface AgentClient {
  readonly url: string;
  hello(question: Omit<AgentHello, 'nonce'>, signal?: AbortSignal): Promise<AgentOrder>;
  events(events: AgentEvents, signal?: AbortSignal): Promise<Reception>;
  outcome(outcome: AgentOutcome, signal?: AbortSignal): Promise<Reception>;
}

/** A client of the server at `url` that trusts `key` alone. */
export function agentClient(url: string, key: PublicKey): AgentClient {
  const wire = signedWire(url, 'agent/v1', key, agentOrderSchema);
  return {
    url: wire.url,
    hello: wire.ask,
    events: (events, signal) => wire.tell('events', events, signal),
    outcome: (outcome, signal) => wire.tell('outcome', outcome, signal),
  };
}
