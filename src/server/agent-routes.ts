import type { FastifyInstance } from 'fastify';
import { agentEventsSchema, agentHelloSchema, agentOutcomeSchema } from '../contract/agent-protocol.ts';
import { takeAgentEvents, takeAgentOutcome } from '../operations/agent-reports.ts';
import { answerAgent } from '../operations/answer-agent.ts';
import { type SignedRoutesOptions, signedRoutes } from './signed-routes.ts';

/** `/agent/v1/…`: what the agents of installed machines ask and tell (`docs/agent.md`). No token: what they say is only shown. */
export function agentRoutes(server: FastifyInstance, options: SignedRoutesOptions): void {
  signedRoutes(
    server,
    {
      name: 'agent',
      hello: {
        summary: 'This is how I am; what am I to do? Waits for an order where there is none',
        schema: agentHelloSchema,
        answer: answerAgent,
      },
      events: { schema: agentEventsSchema, take: takeAgentEvents },
      outcome: { schema: agentOutcomeSchema, take: takeAgentOutcome },
    },
    options,
  );
}
