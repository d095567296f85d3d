import { expect, test } from 'vitest';
import { type DatedVersion, decideRetention, type KeepRules } from './retention.ts';

const now = Date.UTC(2026, 10, 21, 12);

/** A version at noon for each of so many days before today, oldest first; numbers from 1. */
function daily(days: number): DatedVersion[] {
  return Array.from({ length: days }, (_, index) => ({
    number: index + 1,
    created: now - (days - 1 - index) * 86_400_000,
    held: [],
  }));
}

function kept(versions: DatedVersion[], rules: KeepRules): number[] {
  return decideRetention(versions, rules, now)
    .filter(({ reasons }) => reasons.length > 0)
    .map(({ number }) => number);
}

test.each<[KeepRules, number[]]>([
  [{}, [40]],
  [{ last: 3 }, [40, 39, 38]],
  [{ daily: 2 }, [40, 39]],
  // 21 November 2026 is a Saturday: the newest of each week are Saturday, then Sundays.
  [{ weekly: 3 }, [40, 34, 27]],
  [{ monthly: 2 }, [40, 19]],
  [{ yearly: 5 }, [40]],
  [{ within: 3 * 86_400_000 }, [40, 39, 38]],
  [{ daily: 2, weekly: 2, monthly: 2 }, [40, 39, 34, 19]],
  [{ last: 1000 }, Array.from({ length: 40 }, (_, index) => 40 - index)],
])('of 40 days %j keeps %j', (rules, numbers) => {
  expect(kept(daily(40), rules)).toEqual(numbers);
});

test('several versions of a day count once, the newest; periods without versions do not count', () => {
  const versions = [0, 1, 2].map((hour) => ({ number: hour + 1, created: now + hour * 3_600_000, held: [] }));
  const old = { number: 9, created: now - 300 * 86_400_000, held: [] };
  expect(kept([...versions, old], { daily: 2 })).toEqual([3, 9]);
  expect(kept([...versions, old], { hourly: 2 })).toEqual([3, 2]);
});

test('what is held stays, and says why', () => {
  const [first, ...rest] = daily(3);
  const held = { ...(first as DatedVersion), held: ['tagged stable'] };
  expect(decideRetention([held, ...rest], { last: 1 }, now)).toEqual([
    { number: 3, reasons: ['newest', 'last'] },
    { number: 2, reasons: [] },
    { number: 1, reasons: ['tagged stable'] },
  ]);
});

test('the turn of the year splits no week', () => {
  const at = (year: number, month: number, day: number, number: number) => ({
    number,
    created: Date.UTC(year, month, day),
    held: [],
  });
  // Monday 28 December 2026 … Sunday 3 January 2027 is one week.
  const versions = [at(2026, 11, 27, 1), at(2026, 11, 28, 2), at(2027, 0, 3, 3), at(2027, 0, 4, 4)];
  expect(kept(versions, { weekly: 9 })).toEqual([4, 3, 1]);
});
