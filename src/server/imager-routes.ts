import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import {
  imagerEventsSchema,
  imagerHelloSchema,
  imagerOutcomeSchema,
  signedAnswerSchema,
} from '../contract/imager-protocol.ts';
import { answerHello } from '../operations/answer-hello.ts';
import type { Context } from '../operations/context.ts';
import { takeEvents, takeOutcome } from '../operations/imager-reports.ts';

/** `/imager/v1/…`: what imagers ask and tell (`docs/imager-protocol.md`). No token: a bare machine has none. */
export function imagerRoutes(
  untyped: FastifyInstance,
  context: Context,
  urlFor: (request: FastifyRequest) => string,
  stopping: AbortSignal,
): void {
  const server = untyped.withTypeProvider<ZodTypeProvider>();
  const tags = ['imager'];

  server.post(
    '/imager/v1/hello',
    {
      schema: {
        summary: 'What am I to do? Waits for an order where there is none',
        tags,
        body: imagerHelloSchema,
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
        return await answerHello(context, request.body, { store: `${urlFor(request)}/store`, signal });
      } finally {
        // The connection stays for the next question.
        socket.off('close', hangUp);
      }
    },
  );

  server.post(
    '/imager/v1/events',
    { schema: { summary: 'What went on', tags, body: imagerEventsSchema }, bodyLimit: 8 << 20 },
    async (request, reply) => {
      await takeEvents(context, request.body);
      return reply.code(204).send();
    },
  );

  server.post(
    '/imager/v1/outcome',
    { schema: { summary: 'How it ended', tags, body: imagerOutcomeSchema } },
    async (request, reply) => {
      await takeOutcome(context, request.body);
      return reply.code(204).send();
    },
  );
}
