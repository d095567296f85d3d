import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { type AgentObject, agentObjectSchema, objectFileLimit } from '../contract/kept-object.ts';
import type { Context } from '../operations/context.ts';
import { readObjectFor, takeObject } from '../operations/server-objects.ts';

const askedSchema = z.object({ order: z.string().max(100), session: z.string().max(100), number: z.int().positive() });

/**
 * What makes machines themselves, to the server and back: `POST /agent/v1/object`, signed by the machine's own key, and
 * `POST /imager/v1/object`, which answers the boot of the imager that carries out the machine's install, and nobody else.
 */
export function objectRoutes(server: FastifyInstance, context: Context): void {
  server.post(
    '/agent/v1/object',
    {
      schema: { summary: 'Keep what makes me myself', tags: ['agent'], body: agentObjectSchema },
      // In base64, and the rest of the report.
      bodyLimit: Math.ceil(objectFileLimit / 3) * 4 + (1 << 20),
    },
    async (request, reply) => {
      await takeObject(context, request.body as AgentObject);
      return reply.code(204).send();
    },
  );

  server.post(
    '/imager/v1/object',
    { schema: { summary: 'What makes the machine itself that I install', tags: ['imager'], body: askedSchema } },
    async (request, reply) => {
      const file = await readObjectFor(context, request.body as z.infer<typeof askedSchema>);
      return reply.type('application/octet-stream').send(file);
    },
  );
}
