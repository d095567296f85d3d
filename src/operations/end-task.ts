import type { ErrorValue } from '../foundation/errors.ts';
import type { Changing } from './changing.ts';

/**
 * Ends a task, as failed where there is an error. A watcher must see the end among the events: where the imager did not
 * say it itself, the server does. A task that has ended stays as it is.
 */
export async function endTask(change: Changing, id: string, error?: ErrorValue): Promise<void> {
  const task = await change.tasks.get(id);
  if (!task || task.state === 'finished' || task.state === 'failed') return;
  const { last } = task;
  const said = last !== undefined && last.path.length <= 1 && last.kind === (error ? 'failed' : 'finished');
  if (!said && error) await change.say(id, { kind: 'failed', message: error.message, error });
  if (!said && !error) await change.say(id, { kind: 'finished', message: task.title });
  await change.tasks.setState(id, error ? 'failed' : 'finished', change.time);
  change.tell({ kind: 'task', id });
}
