import { describe, expect, it } from 'vitest';
import { liveFields } from './live-fields.ts';

const gibibyte = 2 ** 30;
const system = { image: 'web:3', digest: 'sha256:0', needsMedium: true };

describe('what imprint status says in a live system', () => {
  it('tells how full the memory for changes is, and that nothing is ordered', () => {
    const memory = { used: gibibyte, size: 2 * gibibyte, level: 'warned' } as const;
    expect(liveFields({ ...system, memory })).toEqual([
      ['system', 'web:3, live'],
      ['changes', '1 GiB of 2 GiB of memory: more than three quarters'],
      ['source', 'needed'],
      ['move', 'not ordered: imprint install --live'],
    ]);
  });

  it('tells of a move where it goes, and what to do next', () => {
    const move = { id: 'a', disk: '/dev/vda' };
    const said = (live: Parameters<typeof liveFields>[0]) => liveFields(live).at(-1)?.[1];
    expect(said({ ...system, move: { ...move, state: 'running' } })).toBe(
      'running, onto /dev/vda: imprint install --live shows how far it is',
    );
    expect(said({ ...system, move: { ...move, state: 'failed', goesOn: true } })).toMatch(/has it go on$/);
    expect(said({ ...system, move: { ...move, state: 'failed' } })).toMatch(/--wait says why$/);
    expect(liveFields({ ...system, needsMedium: false, move: { ...move, state: 'finished' } })).toEqual([
      ['system', 'web:3, live'],
      ['changes', 'on the disk'],
      ['source', 'not needed any more'],
      ['move', 'finished, onto /dev/vda: the next restart comes from there'],
    ]);
  });

  it('names why the medium cannot be read', () => {
    const problem = 'The medium was taken out.';
    expect(liveFields({ ...system, problem })).toContainEqual(['source', problem]);
  });
});
