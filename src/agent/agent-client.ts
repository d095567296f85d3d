import {
  type AgentEvents,
  type AgentHello,
  type AgentOrder,
  type AgentOutcome,
  agentOrderSchema,
} from '../contract/agent-protocol.ts';
import type { AgentObject } from '../contract/kept-object.ts';
import type { PublicKey } from '../image/signature.ts';
import { type Reception, type SignedClient, signedClient, signedWire } from './signed-wire.ts';

/** The server as the agent speaks to it (`docs/agent.md`). */
export interface AgentClient extends SignedClient<AgentHello, AgentEvents, AgentOutcome, AgentOrder> {
  /** Has the server keep what makes this machine itself. */
  object(object: AgentObject, signal?: AbortSignal): Promise<Reception>;
}

/** A client of the server at `url` that trusts `key` alone. */
export function agentClient(url: string, key: PublicKey): AgentClient {
  const wire = signedWire(url, 'agent/v1', key, agentOrderSchema);
  return { ...signedClient(wire), object: (object, signal) => wire.tell('object', object, signal) };
}
