import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { ImprintError, toImprintError } from '../foundation/errors.ts';

/** Every failure is answered as a value of the error catalogue (`{ error: { code, message, hint, details } }`). */
export function answerErrors(server: FastifyInstance): void {
  server.setErrorHandler((thrown: FastifyError, request, reply) => {
    const error = explain(thrown);
    const entry = { code: error.code, err: error.httpStatus >= 500 ? thrown : undefined };
    if (error.httpStatus >= 500) request.log.error(entry, error.message);
    else request.log.info(entry, error.message);
    return sendError(reply, error);
  });
  server.setNotFoundHandler((request, reply) => {
    const error = new ImprintError('usage', {
      problem: `There is nothing at ${request.method} ${request.url.split('?')[0]}.`,
      hint: 'See what there is: /api/openapi.json',
    });
    return reply.code(404).send({ error: error.toValue() });
  });
}

function sendError(reply: FastifyReply, error: ImprintError) {
  if (reply.raw.headersSent) return reply;
  if (error.httpStatus === 401) reply.header('www-authenticate', 'Bearer realm="imprint"');
  return reply.code(error.httpStatus).header('cache-control', 'no-store').send({ error: error.toValue() });
}

function explain(thrown: FastifyError): ImprintError {
  if (hasZodFastifySchemaValidationErrors(thrown)) {
    const [first] = thrown.validation;
    const field = first?.instancePath.replace(/^\//, '').replaceAll('/', '.') || 'input';
    return new ImprintError('input-invalid', { field, problem: first?.message ?? thrown.message }, { cause: thrown });
  }
  if (thrown.statusCode !== undefined && thrown.statusCode >= 400 && thrown.statusCode < 500) {
    return new ImprintError('input-invalid', { field: 'request', problem: thrown.message }, { cause: thrown });
  }
  return toImprintError(thrown);
}
