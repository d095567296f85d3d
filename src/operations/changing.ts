import type { Repositories } from '../database/database.ts';
import type { StoredEvent } from '../database/task-repository.ts';
import type { TaskEvent } from '../foundation/task.ts';
import type { MachineRecord } from '../machine/machine-state.ts';
import type { Change } from './changes.ts';
import type { Context } from './context.ts';

/** A change being made: the repositories of its transaction, and what is told once it is written down. */
export interface Changing extends Repositories {
  readonly time: number;
  /** Told after the transaction, in this order. */
  tell(change: Change): void;
  /** Writes a machine back and tells of it. `name` is what it was called before. */
  save(name: string, machine: MachineRecord): Promise<void>;
  /** Adds what the server itself has to say to a task. */
  say(task: string, event: Pick<TaskEvent, 'kind' | 'message' | 'error'>): Promise<void>;
  /** Adds events of an imager to a task, and tells of those that are new. */
  addEvents(task: string, origin: string, events: readonly Omit<TaskEvent, 'taskId'>[]): Promise<StoredEvent[]>;
}

const serverOrigin = 'server';

/** Runs `work` as one transaction, all or nothing; then tells everyone what changed. */
export async function changing<Result>(
  context: Context,
  work: (changing: Changing) => Promise<Result>,
): Promise<Result> {
  const changes: Change[] = [];
  const time = context.clock.now();
  const database = await context.database();
  const result = await database.transaction(({ machines, tasks }) => {
    const addEvents: Changing['addEvents'] = async (task, origin, events) => {
      const added = await tasks.addEvents(task, origin, events);
      for (const stored of added) changes.push({ kind: 'task-event', stored });
      return added;
    };
    return work({
      machines,
      tasks,
      time,
      tell: (change) => changes.push(change),
      save: async (name, machine) => {
        await machines.update(name, machine);
        if (name !== machine.name) changes.push({ kind: 'machine-removed', name });
        changes.push({ kind: 'machine', machine });
      },
      addEvents,
      say: async (task, event) => {
        // The server speaks in the task's root, which the imager calls by the task's title, too.
        const path = [(await tasks.get(task))?.title ?? task];
        const seq = (await tasks.lastOriginSeq(task, serverOrigin)) + 1;
        await addEvents(task, serverOrigin, [{ seq, time, path, ...event }]);
      },
    });
  });
  for (const change of changes) context.changes.publish(change);
  return result;
}
