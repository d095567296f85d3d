import { describe, expect, it } from 'vitest';
import type { TaskEvent } from '../foundation/task.ts';
import { EventLog } from './event-log.ts';

const event = (seq: number, kind: TaskEvent['kind'], ...path: string[]): TaskEvent => ({
  ...{ taskId: 'x', seq, time: 0, path: ['move', ...path], kind, message: '' },
});
const never = new AbortController().signal;

describe('the events of a move', () => {
  it('are heard from the first by whoever comes late, of progress only the newest, and then as they come', async () => {
    const log = new EventLog();
    log.push(event(1, 'started'));
    log.push(event(2, 'progress', 'copy'));
    log.push(event(3, 'progress', 'copy'));
    log.push(event(4, 'progress', 'write'));
    const heard: number[] = [];
    const following = log.follow(({ seq }) => heard.push(seq), never);
    log.push(event(5, 'log'));
    log.push(event(6, 'progress', 'copy'));
    await new Promise(setImmediate);
    log.end();
    await following;
    expect(heard).toEqual([1, 3, 4, 5, 6]);
    const late: number[] = [];
    await log.follow(({ seq }) => late.push(seq), never);
    expect(late).toEqual([1, 4, 5, 6]);
  });

  it('go on without a listener who has gone', async () => {
    const log = new EventLog();
    const gone = new AbortController();
    const following = log.follow(() => {}, gone.signal);
    gone.abort();
    await following;
    log.push(event(1, 'started'));
  });
});
