import { describe, expect, it } from 'vitest';
import {
  chooseLiveMap,
  leastLivePartition,
  liveArea,
  parseLiveNote,
  renderLiveMap,
  renderLiveNote,
} from './live-area.ts';

describe('what the end of a partition holds while a live system moves onto it', () => {
  it('never overlaps, and leaves the source its range', () => {
    for (const size of [8, 2048 * 8, 3_000_000 * 8]) {
      const least = leastLivePartition(size) / 512;
      for (const length of [least, least + 1, least + 7, 3 * least]) {
        const area = liveArea(length, size);
        if (area === undefined) throw new Error('no room');
        const { changesAt, changesLength, maps, note, records } = area;
        const starts = [0, changesAt, ...maps, note, ...records];
        expect(starts).toEqual(starts.toSorted((left, right) => left - right));
        expect(changesAt).toBeGreaterThanOrEqual(size);
        expect(changesAt + changesLength).toBeLessThanOrEqual(maps[0]);
        expect(records[1] + 8).toBeLessThanOrEqual(length);
        for (const start of starts) expect(start % 8).toBe(0);
      }
      expect(liveArea(2 * size, size)).toBeUndefined();
    }
  });

  it('is read back: the newer map that is whole, and the note', () => {
    const bits = Uint8Array.from([1, 2, 3]);
    const old = renderLiveMap(4, Uint8Array.from([0]));
    const newer = renderLiveMap(5, bits);
    expect(chooseLiveMap([old, newer])).toMatchObject({ sequence: 5, next: 0 });
    expect([...(chooseLiveMap([newer, old]).bits ?? [])]).toEqual([1, 2, 3]);
    expect(chooseLiveMap([newer, old]).next).toBe(1);
    newer[513] = 9;
    expect(chooseLiveMap([newer, old])).toMatchObject({ sequence: 4, next: 0 });
    expect(chooseLiveMap([Buffer.alloc(512), Buffer.alloc(512)])).toEqual({ bits: undefined, sequence: 0, next: 0 });
    const note = renderLiveNote('{"ä":1}');
    expect(parseLiveNote(note)).toBe('{"ä":1}');
    note[note.indexOf('ä')] = 0;
    expect(parseLiveNote(note)).toBeUndefined();
  });
});
