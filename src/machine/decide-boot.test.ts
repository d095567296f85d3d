import { describe, expect, it } from 'vitest';
import type { BootPointer, TrialCount } from './boot-pointer.ts';
import { type BootSight, decideBoot, revertTarget, triesLeft } from './decide-boot.ts';

const settled: BootPointer = { sequence: 7, good: 'a-1', previous: 'b-0', tries: 0 };
const trial: BootPointer = { sequence: 8, good: 'a-1', previous: 'c-0', trial: 'b-2', tries: 3 };
const none: TrialCount = { sequence: 0, left: 0 };
const all = ['a-1', 'b-0', 'b-2', 'c-0', 'x-9'];

/** What boots, as what, with how many tries left; and the count that is written before. */
function decided(pointer: BootPointer | undefined, tries: TrialCount | undefined, sight: BootSight = {}) {
  const decision = decideBoot(pointer, tries, { entries: all, ...sight });
  return decision && [decision.entry, decision.kind, decision.left, decision.write];
}

describe('decideBoot', () => {
  it('boots the good entry where there is nothing to prove', () => {
    expect(decided(settled, none)).toEqual(['a-1', 'good', undefined, undefined]);
    expect(decided(settled, { sequence: 7, left: 3 })).toEqual(['a-1', 'good', undefined, undefined]);
  });

  it('counts a trial down, and then boots the good entry', () => {
    let tries = none;
    const boots = [1, 2, 3, 4].map(() => {
      const decision = decideBoot(trial, tries, { entries: all });
      tries = decision?.write ?? tries;
      return [decision?.entry, decision?.left];
    });
    expect(boots).toEqual([
      ['b-2', 2],
      ['b-2', 1],
      ['b-2', 0],
      ['a-1', undefined],
    ]);
    expect(tries).toEqual({ sequence: 8, left: 0 });
  });

  it('gives a new record its own tries, whatever an old count says', () => {
    expect(decided(trial, { sequence: 7, left: 0 })).toEqual(['b-2', 'trial', 2, { sequence: 8, left: 2 }]);
    expect(triesLeft({ ...trial, tries: 2 }, { sequence: 8, left: 9 })).toBe(2);
  });

  it('makes no trial, and goes nowhere, by a count that cannot be read', () => {
    expect(decided(trial, undefined, { revertFile: true, droppedImage: true })).toEqual([
      'a-1',
      'good',
      undefined,
      undefined,
    ]);
  });

  it('goes back by a file, once, and keeps going back until the next record', () => {
    expect(decided(settled, none, { revertFile: true })).toEqual(['b-0', 'revert', undefined, { ...none, revert: 7 }]);
    expect(decided(settled, { ...none, revert: 7 })).toEqual(['b-0', 'revert', undefined, undefined]);
    expect(decided({ ...settled, sequence: 8 }, { ...none, revert: 7 })?.[1]).toBe('good');
  });

  it('goes back from a trial that has begun to the good entry', () => {
    expect(revertTarget(trial, none)).toBe('c-0');
    expect(decided(trial, { sequence: 8, left: 2 }, { revertFile: true })?.slice(0, 2)).toEqual(['a-1', 'revert']);
  });

  it('tries a hand-dropped image after a trial, and forgets its tries when it is gone', () => {
    const sight = { droppedImage: true };
    expect(decided(trial, none, sight)?.[1]).toBe('trial');
    expect(decided(settled, none, sight)).toEqual(['new', 'new', 2, { ...none, newLeft: 2 }]);
    expect(decided(settled, { ...none, newLeft: 0 }, sight)?.[1]).toBe('good');
    expect(decided(settled, { ...none, newLeft: 0 }, { droppedImage: false })).toEqual([
      'a-1',
      'good',
      undefined,
      none,
    ]);
    expect(decided(settled, { ...none, newLeft: 0 })).toEqual(['a-1', 'good', undefined, undefined]);
  });

  it('falls back to what is there, in the order of trust', () => {
    expect(decideBoot(trial, { sequence: 8, left: 0 }, { entries: ['x-9', 'b-2', 'c-0'] })).toEqual({
      entry: 'c-0',
      kind: 'rescue',
      otherwise: ['b-2', 'x-9'],
    });
    expect(decided(undefined, none)).toEqual(['a-1', 'rescue', undefined, undefined]);
    expect(decideBoot(trial, none, { entries: [] })).toBeUndefined();
  });
});
