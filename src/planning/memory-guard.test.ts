import { describe, expect, it } from 'vitest';
import { type MemoryLevel, memoryWarning, nextMemoryLevel, unwrittenLimit, writersPause } from './memory-guard.ts';

const at = (used: number) => ({ used, size: 1000 });

describe('the memory that a live system writes into', () => {
  it('is watched in levels, which are left only well below their edge', () => {
    let level: MemoryLevel = 'calm';
    const seen = [10, 749, 750, 740, 731, 729, 899, 900, 885, 879, 760, 700, 950, 970].map((used) => {
      level = nextMemoryLevel(at(used), level);
      return level;
    });
    expect(seen).toEqual([
      ...[
        'calm',
        'calm',
        'warned',
        'warned',
        'warned',
        'calm',
        'warned',
        'slowed',
        'slowed',
        'warned',
        'warned',
        'calm',
      ],
      ...['slowed', 'stopped'],
    ]);
    expect(nextMemoryLevel(at(10), 'stopped')).toBe('stopped');
    expect(nextMemoryLevel({ used: 0, size: 0 }, 'calm')).toBe('stopped');
  });

  it('slows writers ever more, and never for more than half of the time', () => {
    const pauses = [900, 920, 950, 970, 1000].map((used) => writersPause(at(used)));
    expect(pauses).toEqual(pauses.toSorted((left, right) => left - right));
    expect(pauses[0]).toBe(100);
    expect(pauses.at(-1)).toBe(500);
  });

  it('lets so little wait to be written that it fits behind the last level', () => {
    const size = 2 ** 30;
    expect(unwrittenLimit(size)).toBeLessThan(size * 0.03);
    expect(unwrittenLimit(2 ** 20)).toBe(4 << 20);
  });

  it('says what to do', () => {
    expect(memoryWarning('calm', at(1))).toBeUndefined();
    for (const level of ['warned', 'slowed', 'stopped'] as const)
      expect(memoryWarning(level, at(980))).toContain('98 % full');
  });
});
