import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { agentEventsSchema, agentHelloSchema, agentOutcomeSchema } from '../contract/agent-protocol.ts';
import { signedAnswerSchema } from '../contract/imager-protocol.ts';
import { takeAgentEvents, takeAgentOutcome } from '../operations/agent-reports.ts';
import { answerAgent } from '../operations/answer-agent.ts';
import type { Context } from '../operations/context.ts';

/** `/agent/v1/…`: what the agents of installed machines ask and tell (`docs/agent.md`). No token: what they say is only shown. */
export function agentRoutes(
  untyped: FastifyInstance,
  context: Context,
  urlFor: (request: FastifyRequest) => string,
  stopping: AbortSignal,
): void {
  const server = untyped.withTypeProvider<ZodTypeProvider>();
  const tags = ['agent'];

  server.post(
    '/agent/v1/hello',
    {
      schema: {
        summary: 'This is how I am; what am I to do? Waits for an order where there is none',
        tags,
        body: agentHelloSchema,
        response: { 200: signedAnswerSchema },
      },
    },
    async (request) => {
      const gone = new AbortController();
      const { socket } = request.raw;
      const hangUp = () => gone.abort();
      socket.once('close', hangUp);
      try {
        const signal = AbortSignal.any([gone.signal, stopping]);
        return await answerAgent(context, request.body, { store: `${urlFor(request)}/store`, signal });
      } finally {
        socket.off('close', hangUp);
      }
    },
  );

  server.post(
    '/agent/v1/events',
    { schema: { summary: 'What went on', tags, body: agentEventsSchema }, bodyLimit: 8 << 20 },
    async (request, reply) => {
      await takeAgentEvents(context, request.body);
      return reply.code(204).send();
    },
  );

  server.post(
    '/agent/v1/outcome',
    { schema: { summary: 'How it ended', tags, body: agentOutcomeSchema } },
    async (request, reply) => {
      await takeAgentOutcome(context, request.body);
      return reply.code(204).send();
    },
  );
}
