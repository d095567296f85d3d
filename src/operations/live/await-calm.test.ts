import { describe, expect, it } from 'vitest';
import { Task } from '../../foundation/task.ts';
import { awaitCalm } from './await-calm.ts';

/** A system that is busy in each window as told: share of idle time, and bytes that it asks for. */
async function started(windows: readonly (readonly [idle: number, bytes: number])[], last: readonly [number, number]) {
  let [at, idle, total, bytes] = [0, 1000, 5000, 0];
  const clock = {
    now: () => 0,
    sleep: async () => {
      const [share, more] = windows[at] ?? last;
      at += 1;
      total += 300;
      idle += share * 300;
      bytes += more;
    },
  };
  await awaitCalm({ processorTime: async () => ({ idle, total }), fetched: () => bytes, clock }, Task.silent());
  return at;
}

describe('a system that was just started', () => {
  it('has come up when it is half idle and asks for nothing new, both in the same seconds', async () => {
    const windows = [
      [0.1, 10],
      [0.9, 10],
      [0.2, 0],
      [0.6, 0],
    ] as const;
    expect(await started(windows, [0, 0])).toBe(4);
  });

  it('is not waited for longer than two minutes, whether it computes or reads', async () => {
    expect(await started([], [0, 0])).toBe(40);
    expect(await started([], [1, 1])).toBe(40);
  });
});
