import { expect, it } from 'vitest';
import { ImprintError } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { EventSpool } from './event-spool.ts';

const clock = { now: () => 0, sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 1)) };

function event(seq: number, kind: TaskEvent['kind'] = 'log'): TaskEvent {
  return { taskId: 't', seq, time: 0, path: ['t'], kind, message: '' };
}

it('sends in order, and again what the server did not take', async () => {
  const sent: number[] = [];
  let down = 2;
  const spool = new EventSpool({
    clock,
    send: async (events) => {
      down -= 1;
      if (down >= 0) throw new ImprintError('server-unreachable', { server: 's', problem: 'gone' });
      sent.push(...events.map(({ seq }) => seq));
    },
  });
  for (let seq = 1; seq <= 450; seq += 1) spool.push(event(seq));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(sent).toEqual(Array.from({ length: 450 }, (_, index) => index + 1));
});

it('lets progress go first when too much waits', async () => {
  const sent: TaskEvent[] = [];
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const spool = new EventSpool({
    clock,
    send: async (events) => {
      await opened;
      sent.push(...events);
    },
  });
  for (let seq = 1; seq <= 6000; seq += 1) spool.push(event(seq, seq % 100 === 0 ? 'log' : 'progress'));
  open();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(sent.filter(({ kind }) => kind === 'log')).toHaveLength(60);
  expect(sent.length).toBeLessThan(2000);
});
