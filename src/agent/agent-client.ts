import {
  type AgentEvents,
  type AgentHello,
  type AgentOrder,
  type AgentOutcome,
  agentOrderSchema,
} from '../contract/agent-protocol.ts';
import type { PublicKey } from '../image/signature.ts';
import { type SignedClient, signedClient, signedWire } from './signed-wire.ts';

/** The server as the agent speaks to it (`docs/agent.md`). */
export type AgentClient = SignedClient<AgentHello, AgentEvents, AgentOutcome, AgentOrder>;

/** A client of the server at `url` that trusts `key` alone. */
export function agentClient(url: string, key: PublicKey): AgentClient {
  return signedClient(signedWire(url, 'agent/v1', key, agentOrderSchema));
}
