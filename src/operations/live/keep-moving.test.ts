import { describe, expect, it } from 'vitest';
import { ImprintError } from '../../foundation/errors.ts';
import { Task } from '../../foundation/task.ts';
import { keepMoving } from './keep-moving.ts';

const broken = () => new ImprintError('io-failed', { operation: 'write', path: '/dev/sda2', problem: 'EIO' });

/** A move that fails so many times; each time that much further. */
function moving(failures: number, further: number, error: () => ImprintError = broken) {
  const seen = { tries: 0, taken: 0, mended: 0, slept: [] as number[] };
  const clock = { now: () => 0, sleep: async (pause: number) => void seen.slept.push(pause) };
  const attempt = async () => {
    seen.tries += 1;
    if (seen.tries <= failures) throw error();
  };
  const move = {
    ...{ attempt, clock, progress: () => seen.tries * further },
    failed: () => {
      seen.taken += 1;
    },
    mend: async () => {
      seen.mended += 1;
    },
  };
  return { seen, done: keepMoving(move, Task.silent()) };
}

describe('a move that a disk breaks off', () => {
  it('is tried again, with what is not known to last taken back, and the tables brought to what was written down', async () => {
    const { seen, done } = moving(2, 0);
    await done;
    expect(seen).toEqual({ tries: 3, taken: 2, mended: 2, slept: [10_000, 30_000] });
  });

  it('is given up behind five tries that came no further, in no hurry', async () => {
    const { seen, done } = moving(100, 0);
    await expect(done).rejects.toThrow('write /dev/sda2 failed');
    expect(seen).toMatchObject({ tries: 5, taken: 5, slept: [10_000, 30_000, 60_000, 120_000] });
  });

  it('has as many tries anew whenever it came further', async () => {
    const { seen, done } = moving(20, 1);
    await done;
    expect(seen.tries).toBe(21);
    expect(new Set(seen.slept)).toEqual(new Set([10_000]));
  });

  it('is not tried again where what was changed is lost', async () => {
    const { seen, done } = moving(100, 1, () => new ImprintError('live-changes-lost', {}));
    await expect(done).rejects.toMatchObject({ code: 'live-changes-lost' });
    expect(seen).toMatchObject({ tries: 1, taken: 1, slept: [] });
  });
});
