import { describe, expect, it } from 'vitest';
import type { BootEntry, BootPointer } from './boot-pointer.ts';
import {
  machineSystems,
  namedSystem,
  parseSystemRecords,
  recordOf,
  renderSystemRecords,
  startingSystem,
  systemsSize,
  withGood,
} from './boot-systems.ts';

const entry = (id: string, system?: string, created = '2026-01-01'): BootEntry => ({
  ...{ id, slot: id.split('-')[0] ?? '', reference: `${system ?? 'web'}:1`, digest: '', title: '', created },
  ...{ kernelVersion: '', kernelOptions: [], files: {} },
  ...(system === undefined ? {} : { system }),
});
const pointer: BootPointer = { sequence: 7, good: 'a-1', previous: 'b-0', tries: 0 };
const beside = [entry('a-1', 'web'), entry('b-0', 'web'), entry('c-1', 'db', '2025'), entry('d-2', 'db', '2026')];
const words = (systems: ReturnType<typeof machineSystems>) =>
  systems.map(
    ({ name, good, previous = '', standard }) => `${name} ${good} ${previous}${standard ? ' by itself' : ''}`,
  );

describe('systems beside each other', () => {
  it.each<[string, BootPointer, BootEntry[], Parameters<typeof machineSystems>[2], string[]]>([
    ['one, from before there were several', pointer, [entry('a-1'), entry('b-0')], [], ['web a-1 b-0 by itself']],
    ['two, of which nothing was written down: the newest', pointer, beside, [], ['web a-1 b-0 by itself', 'db d-2 ']],
    [
      'two, as it was written down',
      pointer,
      beside,
      [{ system: 'db', good: 'c-1', previous: 'd-2' }],
      ['web a-1 b-0 by itself', 'db c-1 d-2'],
    ],
    [
      'what was written down and is gone',
      pointer,
      beside.slice(0, 3),
      [{ system: 'db', good: 'd-2', previous: 'c-1' }],
      ['web a-1 b-0 by itself', 'db c-1 '],
    ],
    ['not what is on trial', { ...pointer, trial: 'd-2', tries: 1 }, beside, [], ['web a-1 b-0 by itself', 'db c-1 ']],
    [
      'what is on trial, where there is nothing else',
      { ...pointer, trial: 'd-2', tries: 1 },
      [...beside.slice(0, 2), entry('d-2', 'db')],
      [],
      ['web a-1 b-0 by itself', 'db d-2 '],
    ],
    [
      'one that names none, beside one that does',
      { ...pointer, good: 'd-2', previous: undefined as never },
      [entry('a-1'), entry('d-2', 'db')],
      [],
      ['db d-2  by itself', 'web a-1 '],
    ],
    [
      'the pointer’s own record counts for nothing',
      pointer,
      beside.slice(0, 2),
      [{ system: 'web', good: 'b-0' }],
      ['web a-1 b-0 by itself'],
    ],
    [
      'the imager is none',
      pointer,
      [...beside.slice(0, 2), entry('imager-1', 'imager')],
      [],
      ['web a-1 b-0 by itself'],
    ],
  ])('%s', (_, now, entries, records, expected) => {
    expect(words(machineSystems(now, entries, records))).toEqual(expected);
  });

  it('go on from a proven version, each by itself', () => {
    const systems = machineSystems(pointer, beside, [{ system: 'db', good: 'c-1' }]);
    const next = withGood(systems, 'db', 'd-2');
    expect(words(machineSystems(pointer, beside, next))).toEqual(['web a-1 b-0 by itself', 'db d-2 c-1']);
    // Cut, and proven once more: what one goes back to is not lost.
    expect(withGood(machineSystems(pointer, beside, next), 'db', 'd-2')).toEqual(next);
  });

  it('change places', () => {
    const systems = machineSystems(pointer, beside, [{ system: 'db', good: 'd-2', previous: 'c-1' }]);
    const records = systems.map(recordOf);
    const db = namedSystem(systems, 'db');
    if (db === undefined) throw new Error('no such system');
    const now = startingSystem({ ...pointer, trial: 'b-0', tries: 2 }, db);
    expect(now).toEqual({ sequence: 8, good: 'd-2', previous: 'c-1', trial: 'b-0', tries: 2 });
    expect(words(machineSystems(now, beside, records))).toEqual(['db d-2 c-1 by itself', 'web a-1 b-0']);
    expect(startingSystem({ ...pointer, trial: 'd-2', tries: 2 }, db).trial).toBeUndefined();
  });

  it('are written in a fixed length, and damage says nothing', () => {
    const records = [
      { system: 'db', good: 'c-1' },
      { system: '', good: 'a-1', previous: 'b-0' },
    ];
    const text = renderSystemRecords(records);
    expect(text).toHaveLength(systemsSize);
    expect(parseSystemRecords(text)).toEqual(records);
    for (const damaged of ['', text.slice(0, 30), text.replace('c-1', 'C 1')]) {
      expect(parseSystemRecords(damaged)).toEqual([]);
    }
  });
});
