import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { postJson } from './post-json.ts';

async function serve(listener: RequestListener): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const never = new AbortController().signal;

test('gives what was said, and reads the answer to its end', async () => {
  await using server = await serve(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    response.writeHead(409, { 'content-type': 'text/plain' });
    response.write(`${request.method} ${request.headers['content-type']} `);
    response.end(Buffer.concat(parts));
  });
  const said = { word: 'Grüße' };
  const text = `POST application/json ${JSON.stringify(said)}`;
  expect(await postJson(server.url, said, never)).toEqual({ status: 409, text });
});

test('rejects with the reason of its signal, before and while it waits', async () => {
  await using server = await serve(() => {});
  const reason = new Error('enough');
  await expect(postJson(server.url, {}, AbortSignal.abort(reason))).rejects.toBe(reason);
  const late = postJson(server.url, {}, AbortSignal.timeout(50));
  await expect(late).rejects.toMatchObject({ name: 'TimeoutError' });
});

test('rejects where an answer is cut short, and where nobody listens', async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('half', () => response.destroy());
  });
  await expect(postJson(server.url, {}, never)).rejects.toMatchObject({ code: 'ECONNRESET' });
  const { url } = server;
  await server[Symbol.asyncDispose]();
  await expect(postJson(url, {}, never)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
