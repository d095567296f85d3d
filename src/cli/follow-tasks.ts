import { taskShow } from '../contract/operations/tasks.ts';
import { taskEventSchema } from '../contract/task-event.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import type { ProgressRenderer } from './progress.ts';
import type { ServerClient } from './server-client.ts';

export interface FollowedTask {
  id: string;
  /** What the progress calls it, in place of its own name: two machines install the same image. */
  title: string;
}

/**
 * Follows tasks of a server until all have ended, showing their events. Returns the error of each that failed, by its
 * id. A lost connection is taken up again.
 */
export async function followTasks(
  client: ServerClient,
  tasks: readonly FollowedTask[],
  progress: ProgressRenderer,
): Promise<Map<string, ImprintError>> {
  const errors = new Map<string, ImprintError>();
  await Promise.all(
    tasks.map(async ({ id, title }) => {
      let last: TaskEvent | undefined;
      for await (const { data } of client.events(`/api/v1/tasks/${encodeURIComponent(id)}/events`)) {
        const event = readTaskEvent(data);
        if (event === undefined) continue;
        last = event;
        progress.show({ ...event, path: [title, ...event.path.slice(1)] });
        if (event.path.length === 1 && (event.kind === 'finished' || event.kind === 'failed')) break;
      }
      const ended = last?.path.length === 1 && (last.kind === 'finished' || last.kind === 'failed');
      if (ended) {
        if (last?.error) errors.set(id, ImprintError.fromValue(last.error));
        return;
      }
      // It ended without a last word: it was cancelled, or its events are gone.
      const { task } = await client.call(taskShow, { task: id });
      if (task.state !== 'failed') return;
      errors.set(id, task.last?.error ? ImprintError.fromValue(task.last.error) : new ImprintError('interrupted', {}));
    }),
  );
  return errors;
}

/** A task event from the data of a server-sent event; undefined where it is none, or none that this build understands. */
export function readTaskEvent(data: string): TaskEvent | undefined {
  try {
    const parsed = taskEventSchema.safeParse(JSON.parse(data));
    return parsed.success ? (parsed.data as TaskEvent) : undefined;
  } catch {
    return undefined;
  }
}
