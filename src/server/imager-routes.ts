import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { bootCopyLetters } from '../contract/boot-copy.ts';
import {
  type ImagerBootCopy,
  type ImagerFrames,
  imagerBootCopySchema,
  imagerEventsSchema,
  imagerFramesSchema,
  imagerHelloSchema,
  imagerOutcomeSchema,
  type ScriptsQuestion,
  scriptsQuestionSchema,
  signedAnswerSchema,
} from '../contract/imager-protocol.ts';
import { answerHello } from '../operations/answer-hello.ts';
import { answerScripts } from '../operations/change-scripts.ts';
import { takeEvents, takeOutcome } from '../operations/imager-reports.ts';
import { keepLiveFrames } from '../operations/live-frames.ts';
import { keepImagerBootCopy } from '../operations/server-boot-copies.ts';
import { type SignedRoutesOptions, signedRoutes } from './signed-routes.ts';

/** `/imager/v1/…`: what imagers ask and tell (`docs/imager-protocol.md`). No token: a bare machine has none. */
export function imagerRoutes(server: FastifyInstance, options: SignedRoutesOptions): void {
  signedRoutes(
    server,
    {
      name: 'imager',
      hello: {
        summary: 'What am I to do? Waits for an order where there is none',
        schema: imagerHelloSchema,
        answer: answerHello,
      },
      events: { schema: imagerEventsSchema, take: takeEvents },
      outcome: { schema: imagerOutcomeSchema, take: takeOutcome },
    },
    options,
  );
  server.post(
    '/imager/v1/boot-copy',
    {
      schema: {
        summary: 'Keep what boots from a disk that I am about to write',
        tags: ['imager'],
        body: imagerBootCopySchema,
        response: { 200: z.object({ number: z.int() }) },
      },
      bodyLimit: bootCopyLetters + 10_000,
    },
    (request) => keepImagerBootCopy(options.context, request.body as ImagerBootCopy),
  );
  server.post(
    '/imager/v1/frames',
    {
      schema: { summary: 'What a live start read first', tags: ['imager'], body: imagerFramesSchema },
    },
    async (request, reply) => {
      await keepLiveFrames(options.context, request.body as ImagerFrames);
      return reply.code(204).send();
    },
  );
  server.post(
    '/imager/v1/scripts',
    {
      schema: {
        summary: 'What an install by local.cfg is to run, signed',
        tags: ['imager'],
        body: scriptsQuestionSchema,
        response: { 200: signedAnswerSchema },
      },
    },
    (request) => answerScripts(options.context, request.body as ScriptsQuestion),
  );
}
