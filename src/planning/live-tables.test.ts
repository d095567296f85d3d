import { describe, expect, it } from 'vitest';
import type { LivePhase, LiveRecord } from '../machine/live-record.ts';
import { liveTables, nextLivePhase } from './live-tables.ts';

const record = (phase: LivePhase, changesAt = 620): LiveRecord => ({
  ...{ sequence: 1, phase, source: 'web', size: 200, start: 2048, length: 1000, changesAt, changesLength: 380 },
});
const places = { source: '/dev/nbd0', disk: '/dev/vda' };
const tables = (phase: LivePhase, more = {}) =>
  Object.fromEntries(liveTables(record(phase), { ...places, ...more }).map(({ device, table }) => [device, table]));

describe('the tables of a live system', () => {
  const [disk, changes] = ['0 200 linear /dev/vda 2048', '0 380 linear /dev/vda 2668'];
  const root = '0 200 linear /dev/mapper/imprint-top 0\n200 420 linear /dev/vda 2248';
  const top = (type: string) => `0 200 ${type} /dev/mapper/imprint-base /dev/mapper/imprint-changes P 8`;

  it('while it is copied', () => {
    expect(tables('copying')).toEqual({ base: '0 200 linear /dev/nbd0 0', changes, top: top('snapshot'), root });
  });

  it.each([
    [[{ start: 0, length: 60 }], '0 60 linear /dev/vda 2048\n60 140 linear /dev/nbd0 60'],
    [
      [
        { start: 8, length: 8 },
        { start: 100, length: 100 },
      ],
      '0 8 linear /dev/nbd0 0\n8 8 linear /dev/vda 2056\n16 84 linear /dev/nbd0 16\n100 100 linear /dev/vda 2148',
    ],
    [[{ start: 0, length: 200 }], disk],
  ])('with %o of it copied', (copied, base) => {
    expect(tables('copying', { copied }).base).toBe(base);
  });

  it('from there on without the source', () => {
    const source = undefined;
    expect(tables('copied', { source })).toEqual({ base: disk, changes, top: top('snapshot'), root });
    expect(tables('merging', { source })).toEqual({ base: disk, changes, top: top('snapshot-merge'), root });
    expect(tables('done', { source })).toEqual({ root: '0 1000 linear /dev/vda 2048' });
    expect(() => tables('copying', { source })).toThrow('the source is not there');
  });

  it('gives the file system no room where changes lie, until they are merged', () => {
    const [, , , full] = liveTables(record('copied', 200), places);
    expect(full?.table).toBe('0 200 linear /dev/mapper/imprint-top 0');
  });

  it('changes nothing that the root is made of while it moves', () => {
    const seen = new Set(['copying', 'copied', 'merging'].map((phase) => tables(phase as LivePhase).root));
    expect(seen.size).toBe(1);
  });

  it('refuses what was copied outside of the source', () => {
    expect(() => tables('copying', { copied: [{ start: 190, length: 20 }] })).toThrow(RangeError);
    expect(() =>
      tables('copying', {
        copied: [
          { start: 50, length: 20 },
          { start: 60, length: 5 },
        ],
      }),
    ).toThrow(RangeError);
  });

  it('goes on phase by phase', () => {
    const phases: LivePhase[] = ['copying'];
    for (let next = nextLivePhase('copying'); next !== undefined; next = nextLivePhase(next)) phases.push(next);
    expect(phases).toEqual(['copying', 'copied', 'merging', 'done']);
  });
});
