import { PassThrough, Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { fakeProcesses } from '../../tests/fake-processes.ts';
import type { UpdateResult } from '../contract/operations/updates.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { type OrderRun, runOrder, type WorkOrder } from './run-order.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const order: WorkOrder = {
  ...{ kind: 'update', id: 'o1', name: 'web01', image: 'web:2', digest, store: 'http://s/store', options: {} },
};
const result: UpdateResult = {
  ...{ kind: 'staged', to: { reference: 'web:2', digest }, slot: 'b', entry: 'b-2', warnings: [] },
  reboot: { method: 'full', reasons: [] },
};
const event = (path: string[], kind: TaskEvent['kind']) => ({ taskId: 't', seq: 1, time: 1, path, kind, message: '' });

/** What the agent hears of an order whose command says this on its outputs. */
async function heard(stdout: readonly object[], stderr: readonly object[], more: Partial<OrderRun> = {}) {
  const events: TaskEvent[] = [];
  const staged: UpdateResult[] = [];
  const lines = (values: readonly object[]) => Readable.from(values.map((value) => `${JSON.stringify(value)}\n`));
  const ended = Promise.resolve({ stdout: '', stderr: '', status: 0 });
  const start = () => ({
    ...{ pid: 1, stdin: new PassThrough(), stdout: lines(stdout), stderr: lines(stderr), ended },
    stop: async () => {},
  });
  await runOrder(order, {
    ...{ processes: { ...fakeProcesses(), start }, command: ['node', 'imprint.mjs'] },
    event: (each) => void events.push(each),
    staged: (each) => void staged.push(each),
    signal: new AbortController().signal,
    ...more,
  });
  return { events, staged };
}

it('tells what the command does as the order’s own, but not its end: the trial is still to come', async () => {
  const said = [event(['update'], 'started'), event(['update', 'fetch'], 'finished'), event(['update'], 'finished')];
  const { events, staged } = await heard([result], said);
  expect(events.map(({ taskId, path, kind }) => [taskId, path.join(' / '), kind])).toEqual([
    ['o1', 'update web01 to web:2', 'started'],
    ['o1', 'update web01 to web:2 / fetch', 'finished'],
  ]);
  expect(staged).toMatchObject([{ kind: 'staged', entry: 'b-2' }]);
});

it('rejects with the error of the command, and makes nothing of what is none of its words', async () => {
  const error = new ImprintError('disk-full', { path: '/' }).toValue();
  const running = heard([{ kind: 'wrong' }], [{ seq: 'x' }, { error }, { error: { code: 'unheard-of' } }]);
  await expect(running).rejects.toMatchObject({ code: 'disk-full' });
  await expect(heard([], [])).rejects.toMatchObject({ code: 'process-failed' });
});

it('lets the command end before it says what is wrong with us', async () => {
  const seen: string[] = [];
  const hear = (each: TaskEvent) => {
    seen.push(each.message);
    throw new Error(`cannot take ${each.seq}`);
  };
  const running = heard([result], [event(['update'], 'log'), event(['update'], 'log')], { event: hear });
  await expect(running).rejects.toThrow('cannot take 1');
  expect(seen.length).toBe(2);
});
