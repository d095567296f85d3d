import { describe, expect, it } from 'vitest';
import { parseSnapshotStatus } from './device-mapper.ts';

describe('what the kernel tells of a snapshot', () => {
  it.each([
    ['0 196608 snapshot 1234/389120 24\n', { used: 1234, size: 389_120, lists: 24 }],
    ['0 196608 snapshot-merge 16/389120 16\n', { used: 16, size: 389_120, lists: 16 }],
    ['0 196608 snapshot Invalid\n', undefined],
    ['0 196608 snapshot Overflow\n', undefined],
    ['0 196608 snapshot-merge Merge failed\n', undefined],
    ['0 196608 linear \n', undefined],
    ['', undefined],
  ])('%j', (line, state) => {
    expect(parseSnapshotStatus(line)).toEqual(state);
  });
});
