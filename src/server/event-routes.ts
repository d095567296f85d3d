import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { StoredEvent } from '../database/task-repository.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Change } from '../operations/changes.ts';
import type { Context } from '../operations/context.ts';
import { showMachine } from '../operations/find-machines.ts';
import type { Authentication } from './authentication.ts';
import { type EventStream, openEventStream, resumePoint } from './event-stream.ts';

const query = z.object({ after: z.coerce.number().int().nonnegative().optional() });
const page = 1000;

/** `GET /api/v1/tasks/:id/events` and `GET /api/v1/events`, as server-sent events. All close when `stopping` does. */
export function eventRoutes(
  untyped: FastifyInstance,
  context: Context,
  authentication: Authentication,
  stopping: AbortSignal,
): void {
  const server = untyped.withTypeProvider<ZodTypeProvider>();
  const onRequest = async (request: Parameters<Authentication['check']>[0]) => authentication.check(request, 'read');
  const security = [{ token: [] }];

  server.get(
    '/api/v1/tasks/:id/events',
    {
      onRequest,
      schema: {
        summary: 'What a task says, live; `id` is `seq`; ends with the task by an event `end`',
        tags: ['task'],
        security,
        params: z.object({ id: z.string() }),
        querystring: query,
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { tasks } = await context.database();
      if (!(await tasks.get(id))) throw new ImprintError('task-not-found', { task: id });
      const stream = openEventStream(reply);
      closeWith(stream, stopping);
      let last = resumePoint(request) ?? 0;
      await pump(
        context,
        stream,
        (change) => isOf(change, id),
        async () => {
          const task = await tasks.get(id);
          for (const event of await tasks.events(id, last)) {
            stream.send('task', event, event.seq);
            last = event.seq;
          }
          if (!task || task.state === 'finished' || task.state === 'failed') stream.end(task ?? {});
        },
      );
    },
  );

  server.get(
    '/api/v1/events',
    {
      onRequest,
      schema: {
        summary: 'What all tasks say (`task`), and machines as they change (`machine`, `machine-removed`), live',
        tags: ['task'],
        security,
        querystring: query,
      },
    },
    async (request, reply) => {
      const { tasks } = await context.database();
      let last = resumePoint(request) ?? (await tasks.lastEventId());
      const stream = openEventStream(reply);
      closeWith(stream, stopping);
      const unsubscribe = context.changes.subscribe((change) => {
        if (change.kind === 'machine') stream.send('machine', showMachine(change.machine));
        if (change.kind === 'machine-removed') stream.send('machine-removed', { name: change.name });
        if (change.kind === 'task') {
          tasks.get(change.id).then(
            (task) => task && stream.send('task-state', task),
            () => {},
          );
        }
      });
      stream.onClose(unsubscribe);
      await pump(
        context,
        stream,
        (change) => change.kind === 'task-event',
        async () => {
          let events: StoredEvent[];
          do {
            events = await tasks.eventsSince(last, page);
            for (const { id, event } of events) {
              stream.send('task', event, id);
              last = id;
            }
          } while (events.length === page && !stream.closed);
        },
      );
    },
  );
}

/**
 * Calls `flush` now and whenever something of interest changed. The database is what is read, never the news itself: so
 * nothing comes twice, late or out of order.
 */
async function pump(
  context: Context,
  stream: EventStream,
  concerns: (change: Change) => boolean,
  flush: () => Promise<void>,
): Promise<void> {
  let wanted = false;
  let flushing = false;
  const run = async (): Promise<void> => {
    wanted = true;
    if (flushing) return;
    flushing = true;
    try {
      while (wanted && !stream.closed) {
        wanted = false;
        await flush();
      }
    } catch (thrown) {
      context.log.error({ err: thrown }, 'an event stream failed');
      stream.close();
    } finally {
      flushing = false;
    }
  };
  const unsubscribe = context.changes.subscribe((change) => {
    if (concerns(change)) void run();
  });
  stream.onClose(unsubscribe);
  await run();
}

function isOf(change: Change, task: string): boolean {
  if (change.kind === 'task') return change.id === task;
  return change.kind === 'task-event' && change.stored.event.taskId === task;
}

function closeWith(stream: EventStream, stopping: AbortSignal): void {
  if (stopping.aborted) stream.close();
  const close = () => stream.close();
  stopping.addEventListener('abort', close, { once: true });
  stream.onClose(() => stopping.removeEventListener('abort', close));
}
