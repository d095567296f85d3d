import { describe, expect, it } from 'vitest';
import { systemClock } from '../../foundation/clock.ts';
import type { RootWriters } from '../../system/root-writers.ts';
import { MemoryWatch } from './memory-watch.ts';

function watched() {
  const done: string[] = [];
  const writers: RootWriters = {
    hold: async (milliseconds) => void done.push(`hold ${milliseconds}`),
    stop: async () => void done.push('stop'),
    release: async () => void done.push('release'),
    limit: async (bytes) => void done.push(`limit ${bytes === undefined ? 'none' : 'some'}`),
    tell: async (line) => void done.push(`tell ${/\d+ %/.exec(line)?.[0] ?? 'again'}`),
  };
  const state = { used: 0, size: 1000 };
  const watch = new MemoryWatch(writers, async () => ({ ...state }), systemClock);
  const look = async (used: number) => {
    state.used = used;
    done.length = 0;
    await watch.look();
    return [...done];
  };
  return { done, watch, look };
}

describe('the watch over a live system’s memory', () => {
  it('tells once, slows again and again, stops once', async () => {
    const { look, watch } = watched();
    expect(await look(700)).toEqual([]);
    expect(await look(760)).toEqual(['tell 76 %']);
    expect(await look(780)).toEqual([]);
    expect(await look(900)).toEqual(['hold 100', 'tell 90 %']);
    expect(await look(935)).toEqual(['hold 300']);
    expect(await look(975)).toEqual(['stop', 'tell 97 %']);
    expect(await look(980)).toEqual([]);
    expect(watch.level).toBe('stopped');
  });

  it('takes everything back when changes go elsewhere', async () => {
    const { look, watch, done } = watched();
    await look(990);
    done.length = 0;
    await watch.end();
    expect(done).toEqual(['limit none', 'release', 'tell again']);
    expect(watch.level).toBe('calm');
  });

  it('tries again where stopping failed', async () => {
    const { watch } = watched();
    const tries: number[] = [];
    const failing = new MemoryWatch(
      {
        ...noWriters,
        stop: async () => {
          tries.push(1);
          throw new Error('no');
        },
      },
      async () => ({ used: 99, size: 100 }),
      systemClock,
    );
    await expect(failing.look()).rejects.toThrow('no');
    await expect(failing.look()).rejects.toThrow('no');
    expect(tries).toHaveLength(2);
    expect(watch.level).toBe('calm');
  });
});

const nothing = async () => {};
const noWriters: RootWriters = { hold: nothing, stop: nothing, release: nothing, limit: nothing, tell: nothing };
