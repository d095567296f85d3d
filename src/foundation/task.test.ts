import { expect, it } from 'vitest';
import { ImprintError } from './errors.ts';
import { Task, type TaskEvent } from './task.ts';

function recorder() {
  const events: TaskEvent[] = [];
  let now = 0;
  return {
    events,
    listener: (event: TaskEvent) => events.push(event),
    clock: { now: () => (now += 10), sleep: async () => {} },
  };
}

it('numbers its events without gaps and closes every part', async () => {
  const { events, listener, clock } = recorder();
  await Task.run(
    'install',
    listener,
    async (task) => {
      await task.part('restore', async (part) => {
        part.expect(10, 'files');
        part.advance(10);
      });
      task.warn('one file changed');
    },
    { clock },
  );
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.map((event) => `${event.kind} ${event.path.join('/')}`)).toEqual([
    'started install',
    'started install/restore',
    'progress install/restore',
    'progress install/restore',
    'finished install/restore',
    'warning install',
    'finished install',
  ]);
  expect(events[3]).toMatchObject({ done: 10, total: 10, unit: 'files' });
});

it('keeps progress to its interval, but never loses the last', async () => {
  const { events, listener, clock } = recorder();
  await Task.run(
    'count',
    listener,
    async (task) => {
      task.expect(1000, 'items');
      for (let index = 0; index < 1000; index += 1) task.advance(1);
    },
    { clock, progressInterval: 1000 },
  );
  const progress = events.filter((event) => event.kind === 'progress');
  expect(progress.length).toBeLessThan(20);
  expect(progress.at(-1)?.done).toBe(1000);
});

it('fails with an ImprintError, in every part that was open', async () => {
  const { events, listener } = recorder();
  const failing = Task.run('a', listener, (task) =>
    task.part('b', async () => {
      throw Object.assign(new Error('no space'), { code: 'ENOSPC', syscall: 'write', path: '/srv' });
    }),
  );
  await expect(failing).rejects.toMatchObject({
    code: 'disk-full',
    exitStatus: 1,
    message: expect.stringContaining('/srv'),
  });
  expect(events.filter((event) => event.kind === 'failed').map((event) => event.path.join('/'))).toEqual(['a/b', 'a']);
});

it('does not begin where it was aborted before', async () => {
  const abort = new AbortController();
  abort.abort();
  let began = false;
  const run = Task.run(
    'a',
    () => {},
    async () => {
      began = true;
    },
    { signal: abort.signal },
  );
  await expect(run).rejects.toBeInstanceOf(ImprintError);
  await expect(run).rejects.toMatchObject({ code: 'interrupted', exitStatus: 130 });
  expect(began).toBe(false);
});
