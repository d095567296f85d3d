import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { digestFromHex } from '../foundation/brand.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { BundleQueue } from '../operations/update/bundle-queue.ts';
import { sendFile } from './send-file.ts';

interface PublicFile {
  pattern: RegExp;
  contentType: string;
  immutable: boolean;
}

const name = '[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?';
const tag = '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}';
const binary = 'application/octet-stream';
const text = 'text/plain; charset=utf-8';
const bundlePattern = /^bundles\/([0-9a-f]{64})-([0-9a-f]{64})\.bundle$/;
/** Milliseconds for which an answer waits for a bundle that is being made: less than a client waits for a sign of life. */
const bundlePatience = 12_000;

/**
 * The files of a store that readers need (`docs/image-format.md`); nothing else of its directory is given out: not the
 * hints, which tell of the golden machine, nor what is half written. No pattern lets `..`, a slash too many or an empty
 * name through.
 */
const publicFiles: readonly PublicFile[] = [
  { pattern: /^(?:imprint-store|index)\.json$/, contentType: 'application/json', immutable: false },
  { pattern: /^packs\/([0-9a-f]{2})\/\1[0-9a-f]{62}\.pack$/, contentType: binary, immutable: true },
  { pattern: /^manifests\/[0-9a-f]{64}\.manifest$/, contentType: binary, immutable: true },
  { pattern: /^manifests\/[0-9a-f]{64}\.packs$/, contentType: text, immutable: false },
  { pattern: bundlePattern, contentType: binary, immutable: false },
  { pattern: /^trust\/[1-9]\d{0,5}\.json$/, contentType: 'application/json', immutable: true },
  { pattern: /^trust\/[1-9]\d{0,5}\.json\.minisig$/, contentType: text, immutable: true },
  { pattern: new RegExp(`^images/${name}/[1-9]\\d{0,9}\\.json$`), contentType: 'application/json', immutable: true },
  { pattern: new RegExp(`^images/${name}/[1-9]\\d{0,9}\\.json\\.minisig$`), contentType: text, immutable: false },
  { pattern: new RegExp(`^images/${name}/tags/${tag}$`), contentType: text, immutable: false },
];

/** What a path below `/store/` is, undefined where it is none of a store's public files. */
export function publicStoreFile(path: string): PublicFile | undefined {
  return publicFiles.find(({ pattern }) => pattern.test(path));
}

/**
 * `GET` and `HEAD /store/…`: the store as plain files, with ranges. Needs no token: all content is verified by its reader
 * against the signed version record. A bundle is made when it is first asked for (503 with `Retry-After` meanwhile).
 */
export function storeRoutes(
  server: FastifyInstance,
  storeDirectory: string | undefined,
  bundles: Pick<BundleQueue, 'ask'>,
): void {
  server.route({
    method: ['GET', 'HEAD'],
    url: '/store/*',
    schema: { hide: true },
    logLevel: 'warn',
    handler: async (request, reply) => {
      const path = (request.params as { '*': string })['*'];
      const file = publicStoreFile(path);
      if (file && storeDirectory !== undefined) {
        if (await sendFile(request, reply, join(storeDirectory, path), file)) return reply;
        const [, from, to] = bundlePattern.exec(path) ?? [];
        if (from !== undefined && to !== undefined) {
          const answer = await bundles.ask(digestFromHex(from), digestFromHex(to), bundlePatience);
          if (answer === 'later') return reply.code(503).header('retry-after', '1').send();
          if (answer === 'there' && (await sendFile(request, reply, join(storeDirectory, path), file))) return reply;
        }
      }
      throw new ImprintError('path-not-found', { path, reference: 'the store' });
    },
  });
}
