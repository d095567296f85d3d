import { describe, expect, it } from 'vitest';
import { chooseLiveRecord, type LiveRecord, liveRecordSize, parseLiveRecord, renderLiveRecord } from './live-record.ts';

const record: LiveRecord = {
  ...{ sequence: 3, phase: 'copying', source: `sha256:${'a'.repeat(64)}`, size: 196_608, start: 2_099_200 },
  ...{ length: 16_777_216, changesAt: 16_000_000, changesLength: 700_000 },
};
const none = Buffer.alloc(liveRecordSize);

describe('a record of a live system', () => {
  it.each(['copying', 'copied', 'merging', 'done'] as const)('says that it is %s', (phase) => {
    expect(parseLiveRecord(renderLiveRecord({ ...record, phase }))).toEqual({ ...record, phase });
  });

  it('is none where any byte is another', () => {
    const block = renderLiveRecord(record);
    const end = block.indexOf(0);
    for (let at = 0; at < end; at += 1) {
      const bent = Buffer.from(block);
      bent.writeUInt8((bent.readUInt8(at) + 1) % 256, at);
      expect(parseLiveRecord(bent), `byte ${at}`).toBeUndefined();
    }
    expect(parseLiveRecord(none)).toBeUndefined();
    expect(parseLiveRecord(Buffer.alloc(100, 'x'))).toBeUndefined();
  });

  it('fits into the one sector that a write brings whole', () => {
    const longest = { ...record, sequence: 2 ** 40, size: 2 ** 45, length: 2 ** 46, changesAt: 2 ** 45 + 1 };
    expect(renderLiveRecord(longest).indexOf(0)).toBeLessThanOrEqual(512);
  });

  it.each<[Partial<LiveRecord>, string]>([
    [{ changesAt: 100_000 }, 'changes would lie in what is filled'],
    [{ changesLength: 800_000 }, 'changes would lie behind the partition'],
    [{ size: 0 }, 'a number is none'],
    [{ source: 'two words' }, 'the source has no name'],
  ])('says nothing that cannot be: %o', (change, problem) => {
    expect(() => renderLiveRecord({ ...record, ...change })).toThrow(problem);
  });

  it('counts by its number, and is never written over the one that counts', () => {
    const [third, fourth] = [renderLiveRecord(record), renderLiveRecord({ ...record, sequence: 4, phase: 'copied' })];
    expect(chooseLiveRecord([none, none])).toEqual({ record: undefined, next: 0 });
    expect(chooseLiveRecord([third, none])).toMatchObject({ record: { sequence: 3 }, next: 1 });
    expect(chooseLiveRecord([none, third])).toMatchObject({ record: { sequence: 3 }, next: 0 });
    expect(chooseLiveRecord([third, fourth])).toMatchObject({ record: { sequence: 4 }, next: 0 });
    expect(chooseLiveRecord([fourth, third])).toMatchObject({ record: { sequence: 4 }, next: 1 });
  });
});
