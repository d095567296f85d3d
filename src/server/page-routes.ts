import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ImprintError } from '../foundation/errors.ts';
import { type Authentication, sessionCookie } from './authentication.ts';
import { statusPage } from './status-page.ts';
import { pageScript } from './status-page-script.ts';
import { pageStyle } from './status-page-style.ts';

/** `/`, the status page, and how it logs in: the token once, then a cookie that may only read. */
export function pageRoutes(untyped: FastifyInstance, authentication: Authentication): void {
  const server = untyped.withTypeProvider<ZodTypeProvider>();
  const page = statusPage();
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  // Nothing but what is written in the page may run in it, and it may talk to this server only.
  const policy = [
    "default-src 'none'",
    `script-src ${hash(pageScript)}`,
    `style-src ${hash(pageStyle)}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

  server.get('/', { schema: { hide: true } }, async (_request, reply) =>
    reply
      .header('content-type', 'text/html; charset=utf-8')
      .header('content-security-policy', policy)
      .header('cache-control', 'no-cache')
      .header('referrer-policy', 'no-referrer')
      .header('x-content-type-options', 'nosniff')
      .send(page),
  );

  server.post(
    '/login',
    { schema: { hide: true, body: z.object({ token: z.string().max(1000) }) } },
    async (request, reply) => {
      const session = authentication.login(request.body.token.trim());
      if (session === undefined) throw new ImprintError('not-authorised', {});
      return reply
        .header('set-cookie', `${sessionCookie}=${session}; Path=/; HttpOnly; SameSite=Strict`)
        .code(204)
        .send();
    },
  );

  server.post('/logout', { schema: { hide: true } }, async (request, reply) => {
    authentication.logout(request);
    return reply.header('set-cookie', `${sessionCookie}=; Path=/; Max-Age=0`).code(204).send();
  });
}
