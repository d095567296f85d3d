import type { Kysely, Selectable } from 'kysely';
import type { TaskSummary } from '../contract/task-event.ts';
import type { TaskEvent } from '../foundation/task.ts';
import type { Tables } from './tables.ts';

/** An event with its place among the events of all tasks. */
export interface StoredEvent {
  /** Rises over all tasks. */
  id: number;
  event: TaskEvent;
}

export interface TaskFilter {
  machine?: string;
  state?: TaskSummary['state'];
  limit: number;
}

/** Tasks and what they said. */
export interface TaskRepository {
  /** Newest first. */
  list(filter: TaskFilter): Promise<TaskSummary[]>;
  get(id: string): Promise<TaskSummary | undefined>;
  insert(task: Omit<TaskSummary, 'last'>): Promise<void>;
  setState(id: string, state: TaskSummary['state'], ended?: number): Promise<void>;
  /** A machine was renamed: its tasks follow. */
  renameMachine(from: string, to: string): Promise<void>;
  /**
   * Adds events of one origin (a boot of an imager, or `server`) and gives them the task's own rising `seq`; those that
   * were added before, by the `seq` that the origin gave them, are dropped. Answers with what was new.
   */
  addEvents(task: string, origin: string, events: readonly Omit<TaskEvent, 'taskId'>[]): Promise<StoredEvent[]>;
  events(task: string, after?: number): Promise<TaskEvent[]>;
  /** Events of all tasks after the one with this `id`, at most `limit`. */
  eventsSince(id: number, limit: number): Promise<StoredEvent[]>;
  lastEventId(): Promise<number>;
  /** The highest `seq` that an origin gave, 0 where it gave none. */
  lastOriginSeq(task: string, origin: string): Promise<number>;
  /** Forgets tasks that ended before `time`. */
  removeEndedBefore(time: number): Promise<void>;
}

export function taskRepository(database: Kysely<Tables>): TaskRepository {
  const withLast = async (rows: Selectable<Tables['task']>[]): Promise<TaskSummary[]> => {
    const tasks: TaskSummary[] = [];
    for (const row of rows) {
      const last = await database
        .selectFrom('task_event')
        .select('event')
        .where('task', '=', row.id)
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      tasks.push(toTask(row, last?.event));
    }
    return tasks;
  };
  return {
    list: async ({ machine, state, limit }) => {
      let query = database.selectFrom('task').selectAll().orderBy('started', 'desc').limit(limit);
      if (machine !== undefined) query = query.where('machine', '=', machine);
      if (state !== undefined) query = query.where('state', '=', state);
      return withLast(await query.execute());
    },
    get: async (id) =>
      (await withLast(await database.selectFrom('task').selectAll().where('id', '=', id).execute()))[0],
    insert: async (task) => {
      const { id, title, state, started, machine = null, ended = null } = task;
      await database.insertInto('task').values({ id, title, state, started, machine, ended }).execute();
    },
    setState: async (id, state, ended) => {
      await database
        .updateTable('task')
        .set({ state, ended: ended ?? null })
        .where('id', '=', id)
        .execute();
    },
    renameMachine: async (from, to) => {
      await database.updateTable('task').set({ machine: to }).where('machine', '=', from).execute();
    },
    addEvents: (task, origin, events) => addEvents(database, task, origin, events),
    events: async (task, after = 0) => {
      const rows = await database
        .selectFrom('task_event')
        .select('event')
        .where('task', '=', task)
        .where('seq', '>', after)
        .orderBy('seq')
        .execute();
      return rows.map((row) => JSON.parse(row.event));
    },
    eventsSince: async (id, limit) => {
      const query = database.selectFrom('task_event').select(['id', 'event']).where('id', '>', id);
      const rows = await query.orderBy('id').limit(limit).execute();
      return rows.map((row) => ({ id: row.id, event: JSON.parse(row.event) }));
    },
    lastEventId: async () => {
      const row = await database
        .selectFrom('task_event')
        .select(database.fn.max<number | null>('id').as('id'))
        .executeTakeFirst();
      return row?.id ?? 0;
    },
    lastOriginSeq: async (task, origin) => {
      const query = database.selectFrom('task_event').select(database.fn.max<number | null>('origin_seq').as('seq'));
      const row = await query.where('task', '=', task).where('origin', '=', origin).executeTakeFirst();
      return row?.seq ?? 0;
    },
    removeEndedBefore: async (time) => {
      await database.deleteFrom('task').where('ended', '<', time).execute();
    },
  };
}

async function addEvents(
  database: Kysely<Tables>,
  task: string,
  origin: string,
  events: readonly Omit<TaskEvent, 'taskId'>[],
): Promise<StoredEvent[]> {
  const query = database
    .selectFrom('task_event')
    .select(database.fn.max<number | null>('seq').as('seq'))
    .where('task', '=', task);
  let seq = (await query.executeTakeFirst())?.seq ?? 0;
  const added: StoredEvent[] = [];
  for (const given of events) {
    const event: TaskEvent = { ...given, taskId: task, seq: seq + 1 };
    const row = await database
      .insertInto('task_event')
      .values({ task, seq: event.seq, origin, origin_seq: given.seq, event: JSON.stringify(event) })
      .onConflict((conflict) => conflict.columns(['task', 'origin', 'origin_seq']).doNothing())
      .returning('id')
      .executeTakeFirst();
    if (row === undefined) continue;
    seq = event.seq;
    added.push({ id: row.id, event });
  }
  return added;
}

function toTask(row: Selectable<Tables['task']>, last: string | undefined): TaskSummary {
  return {
    id: row.id,
    title: row.title,
    state: row.state as TaskSummary['state'],
    started: row.started,
    ...(row.machine !== null && { machine: row.machine }),
    ...(row.ended !== null && { ended: row.ended }),
    ...(last !== undefined && { last: JSON.parse(last) }),
  };
}
