import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { serverOperations } from '../operations/bound-operations.ts';
import type { Context } from '../operations/context.ts';
import type { ServerFacts } from '../operations/server-status.ts';
import { BundleQueue } from '../operations/update/bundle-queue.ts';
import { agentRoutes } from './agent-routes.ts';
import { createAuthentication } from './authentication.ts';
import { bootRoutes } from './boot-routes.ts';
import { answerErrors } from './error-answers.ts';
import { eventRoutes } from './event-routes.ts';
import { imagerRoutes } from './imager-routes.ts';
import { objectRoutes } from './object-routes.ts';
import { operationRoutes } from './operation-routes.ts';
import { pageRoutes } from './page-routes.ts';
import { storeRoutes } from './store-routes.ts';

export interface HttpServerOptions {
  context: Context;
  log: Logger;
  adminToken: string;
  facts: ServerFacts;
  /** URL under which machines reach us, where that is not plain from the connection. */
  url?: string;
  /** Ends what waits: long polls, event streams. */
  stopping: AbortSignal;
}

/** All routes of the image server (`docs/server.md`); not listening yet. */
export async function createHttpServer(options: HttpServerOptions): Promise<FastifyInstance> {
  const { context, adminToken, facts, stopping } = options;
  const server = fastify({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    bodyLimit: 1 << 20,
    // An image store is read by many small ranges of one connection; a long poll lasts up to a minute.
    keepAliveTimeout: 75_000,
  }) as unknown as FastifyInstance;
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  answerErrors(server);
  server.addHook('onResponse', async (request, reply) => {
    const { method, url } = request;
    request.log.debug({ method, url, status: reply.raw.statusCode, milliseconds: reply.elapsedTime }, 'request');
  });
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Imprint', description: 'The image server', version: facts.version },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
    transform: jsonSchemaTransform,
  });
  // A plugin, so that swagger's hook is there before the first route.
  await server.register(async (routes) => {
    const authentication = createAuthentication(adminToken);
    const urlFor = (request: FastifyRequest) => options.url ?? ownUrl(request);
    operationRoutes(routes, context, authentication, serverOperations(facts));
    eventRoutes(routes, context, authentication, stopping);
    imagerRoutes(routes, { context, urlFor, stopping });
    agentRoutes(routes, { context, urlFor, stopping });
    objectRoutes(routes, context);
    bootRoutes(routes, context, urlFor);
    const bundles = new BundleQueue(context, stopping);
    storeRoutes(routes, /^https?:/i.test(context.storeLocation) ? undefined : context.storeLocation, bundles);
    pageRoutes(routes, authentication);
    routes.get('/api/openapi.json', { schema: { hide: true } }, async () => server.swagger());
  });
  return server;
}

/**
 * Our URL as the asker sees it: the address at which its connection arrived. (The `Host` header is the asker's word, and
 * would end up in answers that we sign.)
 */
function ownUrl({ socket }: FastifyRequest): string {
  const { localAddress = '127.0.0.1', localPort = 80 } = socket;
  const address = localAddress.replace(/^::ffff:/, '');
  return `http://${address.includes(':') ? `[${address}]` : address}:${localPort}`;
}
