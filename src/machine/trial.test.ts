import { describe, expect, it } from 'vitest';
import type { BootPointer } from './boot-pointer.ts';
import { bootWords, committed, forgetting, reverted, situationOf, withoutTrial, withTrial } from './trial.ts';

const settled: BootPointer = { sequence: 7, good: 'a-1', previous: 'b-0', tries: 0 };
const trial: BootPointer = { sequence: 8, good: 'a-1', previous: 'b-0', trial: 'b-2', tries: 3 };

describe('bootWords', () => {
  it.each([
    ['root=UUID=x imprint.slot=a-1 imprint.seq=7 ro', { entry: 'a-1', sequence: 7 }],
    ['imprint.slot=b-2 imprint.seq=8 imprint.try=2', { entry: 'b-2', sequence: 8, left: 2 }],
    ['imprint.slot=a-1 imprint.seq=1 imprint.slot=b-2 imprint.seq=9\n', { entry: 'b-2', sequence: 9 }],
    ['imprint.slot=a-1 imprint.seq=7 imprint.try=many', { entry: 'a-1', sequence: 7 }],
    ['imprint.slot=../x imprint.seq=7', undefined],
    ['imprint.slot=a-1', undefined],
    ['imprint.slot=a-1 imprint.seq=-1', undefined],
    ['root=/dev/sda1 ro', undefined],
  ])('%s', (line, words) => {
    expect(bootWords(line)).toEqual(words);
  });
});

describe('situationOf', () => {
  it.each([
    ['nothing to prove', settled, { sequence: 0, left: 0 }, { entry: 'a-1', sequence: 7 }, 'settled'],
    ['a count of an older record', settled, { sequence: 6, left: 0 }, { entry: 'a-1', sequence: 6 }, 'settled'],
    ['written after this boot', trial, { sequence: 0, left: 0 }, { entry: 'a-1', sequence: 7 }, 'pending'],
    ['not tried, chosen by hand', trial, { sequence: 8, left: 2 }, { entry: 'a-1', sequence: 8 }, 'pending'],
    ['not begun, chosen by hand', trial, { sequence: 5, left: 0 }, { entry: 'a-1', sequence: 8 }, 'pending'],
    ['on trial', trial, { sequence: 8, left: 2 }, { entry: 'b-2', sequence: 8, left: 2 }, 'trial'],
    ['no try left', trial, { sequence: 8, left: 0 }, { entry: 'a-1', sequence: 8 }, 'fell-back'],
    ['an unreadable count', trial, undefined, { entry: 'a-1', sequence: 8 }, 'fell-back'],
    ['the menu', settled, undefined, { entry: 'b-0', sequence: 7 }, 'stray'],
    ['by hand', settled, { sequence: 0, left: 0, revert: 7 }, { entry: 'b-0', sequence: 7 }, 'reverting'],
    ['by hand, on trial', trial, { sequence: 8, left: 2, revert: 8 }, { entry: 'a-1', sequence: 8 }, 'reverting'],
    [
      'by hand, of an older record',
      settled,
      { sequence: 0, left: 0, revert: 6 },
      { entry: 'b-0', sequence: 7 },
      'stray',
    ],
    ['an entry that no record names', settled, { sequence: 0, left: 0 }, { entry: 'c-9', sequence: 7 }, 'stray'],
    ['a dropped image', settled, { sequence: 0, left: 0, newLeft: 2 }, { entry: 'new', sequence: 7 }, 'dropped'],
  ] as const)('%s', (_, pointer, tries, words, kind) => {
    expect(situationOf(pointer, tries, words).kind).toBe(kind);
  });

  it('counts what GRUB counted', () => {
    const words = { entry: 'b-2', sequence: 8, left: 1 };
    expect(situationOf(trial, { sequence: 8, left: 1 }, words)).toEqual({ kind: 'trial', entry: 'b-2', left: 1 });
    expect(situationOf(trial, { sequence: 8, left: 1 }, { entry: 'b-2', sequence: 7 })).toMatchObject({ left: 1 });
  });
});

describe('the next record', () => {
  it('tries, commits and falls back, each one higher', () => {
    expect(withTrial(settled, 'b-2', 3)).toEqual(trial);
    expect(committed(trial, 'b-2')).toEqual({ sequence: 9, good: 'b-2', previous: 'a-1', tries: 0 });
    expect(withoutTrial(trial)).toEqual({ sequence: 9, good: 'a-1', previous: 'b-0', tries: 0 });
    expect(committed(settled, 'a-1')).toEqual({ sequence: 8, good: 'a-1', previous: 'b-0', tries: 0 });
  });

  it('goes back, and forth again', () => {
    const back = reverted(settled);
    expect(back).toEqual({ sequence: 8, good: 'b-0', previous: 'a-1', tries: 0 });
    expect(reverted(back ?? settled)).toMatchObject({ good: 'a-1', previous: 'b-0' });
    expect(reverted({ sequence: 1, good: 'a-1', tries: 0 })).toBeUndefined();
  });

  it('forgets what is to be overwritten, and never the good one', () => {
    expect(forgetting(trial, ['b-0', 'b-2'])).toEqual({ sequence: 9, good: 'a-1', tries: 0 });
    expect(forgetting(trial, ['b-0'])).toEqual({ sequence: 9, good: 'a-1', trial: 'b-2', tries: 3 });
    expect(forgetting(trial, ['c-1'])).toBeUndefined();
    expect(() => forgetting(trial, ['a-1'])).toThrow(RangeError);
  });
});
