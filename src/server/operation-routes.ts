import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { errorValueSchema } from '../contract/task-event.ts';
import { errorCatalogue } from '../foundation/error-catalogue.ts';
import type { BoundOperation } from '../operations/bound-operations.ts';
import type { Context } from '../operations/context.ts';
import type { Authentication } from './authentication.ts';

const errorAnswer = z.object({ error: errorValueSchema });

/** One route for each operation: `GET /api/v1/machine.list`, `POST /api/v1/machine.add`. */
export function operationRoutes(
  server: FastifyInstance,
  context: Context,
  authentication: Authentication,
  operations: readonly BoundOperation[],
): void {
  for (const { operation, run } of operations) {
    const reads = operation.effect === 'read';
    const errors = new Set([400, 401, 500, ...operation.errors.map((code) => errorCatalogue[code].http)]);
    server.route({
      method: reads ? 'GET' : 'POST',
      url: `/api/v1/${operation.name}`,
      schema: {
        operationId: operation.name,
        summary: operation.summary,
        tags: [operation.name.split('.')[0] ?? operation.name],
        security: [{ token: [] }],
        ...(reads ? { querystring: operation.input } : { body: operation.input }),
        response: {
          200: operation.output,
          ...Object.fromEntries([...errors].map((status) => [status, errorAnswer])),
        },
      },
      onRequest: async (request) => authentication.check(request, reads ? 'read' : 'change'),
      ...(operation.bodyLimit === undefined ? {} : { bodyLimit: operation.bodyLimit }),
      handler: async (request, reply) => {
        reply.header('cache-control', 'no-store');
        const result = await run(context, reads ? request.query : request.body);
        if (!reads) request.log.info({ operation: operation.name, input: shortened(request.body) }, 'audit');
        return result;
      },
    });
  }
}

/** Secrets have no place in a log, nor have whole files. */
export function shortened(input: unknown): unknown {
  if (typeof input !== 'object' || input === null) return input;
  const short = (name: string, value: unknown) => {
    if (name === 'passphrase') return '(a secret)';
    return typeof value === 'string' && value.length > 20_000 ? `(${value.length} characters)` : value;
  };
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name, short(name, value)]));
}
