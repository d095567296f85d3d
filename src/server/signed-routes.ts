import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { type SignedAnswer, signedAnswerSchema } from '../contract/imager-protocol.ts';
import type { HelloCircumstances } from '../operations/answer-hello.ts';
import type { Context } from '../operations/context.ts';

/** What one kind of machine's program asks and tells. */
export interface SignedConversation<Hello, Events, Outcome> {
  /** First part of the paths, and the tag of the routes: `imager`. */
  name: string;
  hello: {
    /** The question, in words. */
    summary: string;
    schema: z.ZodType<Hello>;
    /** May wait until there is something to do, or the signal is aborted. */
    answer(context: Context, question: Hello, circumstances: HelloCircumstances): Promise<SignedAnswer>;
  };
  events: { schema: z.ZodType<Events>; take(context: Context, events: Events): Promise<void> };
  outcome: { schema: z.ZodType<Outcome>; take(context: Context, outcome: Outcome): Promise<void> };
}

/** What the routes need of the server. */
export interface SignedRoutesOptions {
  context: Context;
  /** Our URL as the asker sees it. */
  urlFor: (request: FastifyRequest) => string;
  /** Ends what waits. */
  stopping: AbortSignal;
}

/** `POST /NAME/v1/hello`, answered by a `SignedAnswer`, and `…/events` and `…/outcome`, answered by nothing. No token is asked for. */
export function signedRoutes<Hello, Events, Outcome>(
  server: FastifyInstance,
  { name, hello, events, outcome }: SignedConversation<Hello, Events, Outcome>,
  { context, urlFor, stopping }: SignedRoutesOptions,
): void {
  const tags = [name];
  // The schemas have parsed the bodies by the time that they are taken.

  server.post(
    `/${name}/v1/hello`,
    { schema: { summary: hello.summary, tags, body: hello.schema, response: { 200: signedAnswerSchema } } },
    (request) =>
      whileListened(request, stopping, (signal) =>
        hello.answer(context, request.body as Hello, { store: `${urlFor(request)}/store`, signal }),
      ),
  );

  server.post(
    `/${name}/v1/events`,
    { schema: { summary: 'What went on', tags, body: events.schema }, bodyLimit: 8 << 20 },
    async (request, reply) => {
      await events.take(context, request.body as Events);
      return reply.code(204).send();
    },
  );

  server.post(
    `/${name}/v1/outcome`,
    { schema: { summary: 'How it ended', tags, body: outcome.schema } },
    async (request, reply) => {
      await outcome.take(context, request.body as Outcome);
      return reply.code(204).send();
    },
  );
}

/** `work` with a signal that is aborted when the asker hangs up, or the server stops. */
async function whileListened<Result>(
  { raw: { socket } }: FastifyRequest,
  stopping: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const gone = new AbortController();
  const hangUp = () => gone.abort();
  socket.once('close', hangUp);
  try {
    return await work(AbortSignal.any([gone.signal, stopping]));
  } finally {
    // The connection stays for the next question.
    socket.off('close', hangUp);
  }
}
