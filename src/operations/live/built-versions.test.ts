import { describe, expect, it } from 'vitest';
import { versionRecord } from '../../../tests/version-record.ts';
import type { LiveSource } from '../../contract/image.ts';
import type { RawPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Entry } from '../../image/entry.ts';
import type { StoredVersion } from '../../store/store.ts';
import { placedContent } from './built-content.ts';
import { leftAlone, liveImage, liveVersionsOf } from './built-versions.ts';

const digestOf = (letter: string) => `sha256:${letter.repeat(64)}`;

function version(image: string, number: number, letter: string, live?: Partial<LiveSource>): StoredVersion {
  const of: LiveSource = {
    ...{ image: 'web', number: 1, digest: digestOf('a'), fileSystem: 'xfs', uuid: 'u', size: 1 },
    ...live,
  };
  const record = versionRecord({ image, number, digest: digestOf(letter), ...(live && { live: of }) });
  return { record, recordText: '', tags: [] };
}

describe('file systems that were made of versions', () => {
  const store = [
    version('web', 1, 'a'),
    version('web', 2, 'b'),
    version('web.live-xfs', 1, 'c', {}),
    version('web.live-xfs', 2, 'd', { number: 2, digest: digestOf('b') }),
    version('web.live-btrfs', 1, 'e', { fileSystem: 'btrfs' }),
  ];

  it('go with the version that is in them, and with no other', () => {
    expect(leftAlone(store, ['web:1'])).toEqual(['web.live-xfs:1', 'web.live-btrfs:1']);
    expect(leftAlone(store, ['web:2'])).toEqual(['web.live-xfs:2']);
    expect(leftAlone(store, ['web.live-xfs:1'])).toEqual([]);
    expect(leftAlone(store, ['web:1', 'web.live-xfs:1'])).toEqual(['web.live-btrfs:1']);
    expect(leftAlone(store, [])).toEqual([]);
  });

  it('stay while another version of the image is the same tree', () => {
    const same = [...store, version('web', 3, 'a')];
    expect(leftAlone(same, ['web:1'])).toEqual([]);
    expect(leftAlone(same, ['web:1', 'web:3'])).toEqual(['web.live-xfs:1', 'web.live-btrfs:1']);
    expect(leftAlone([...store, version('db', 1, 'a')], ['web:1'])).toHaveLength(2);
  });

  it('are found by what they say they hold, whatever an image is called', async () => {
    const reader = (versions: StoredVersion[]) => ({
      versions: async (image?: string) => {
        const found = versions.filter(({ record }) => record.image === image);
        if (found.length === 0) throw new ImprintError('image-not-found', { reference: image ?? '', store: 'here' });
        return found;
      },
    });
    const find = async (versions: StoredVersion[], letter: string, fileSystem: LiveSource['fileSystem']) =>
      (await liveVersionsOf(reader(versions), { image: 'web', digest: digestOf(letter) }, fileSystem)).map(
        ({ record }) => record.number,
      );
    expect(await find(store, 'b', 'xfs')).toEqual([2]);
    expect(await find(store, 'b', 'btrfs')).toEqual([]);
    expect(await find(store, 'f', 'xfs')).toEqual([]);
    expect(await find([version('web.live-xfs', 1, 'a')], 'a', 'xfs')).toEqual([]);
    expect(await find([version('web.live-xfs', 1, 'c', { fileSystem: 'btrfs' })], 'a', 'xfs')).toEqual([]);
    expect(await find([version('web.live-xfs', 1, 'c', { image: 'db' })], 'a', 'xfs')).toEqual([]);
  });

  it('have names that an image may have', () => {
    expect(liveImage('web', 'btrfs')).toBe('web.live-btrfs');
    expect(() => liveImage('w'.repeat(125), 'xfs')).toThrow(ImprintError);
  });
});

describe('content of a file with holes', () => {
  const chunk = (length: number) => ({ hash: new Uint8Array(32).fill(length), length });
  const file = (parts: Partial<Entry>) =>
    placedContent({
      ...{ path: 'root.xfs' as RawPath, type: 'file', mode: 0o600, uid: 0, gid: 0 },
      ...{ mtime: { seconds: 0, nanoseconds: 0 }, ...parts },
    }).map(({ chunk: { length: of }, skip, length, position }) => [of, skip, length, position]);

  it('lies one behind the other where there are none', () => {
    expect(file({ size: 30, chunks: [chunk(10), chunk(20)] })).toEqual([
      [10, 0, 10, 0],
      [20, 0, 20, 10],
    ]);
    expect(file({ size: 0 })).toEqual([]);
  });

  it('may be on both sides of a hole, or of several', () => {
    const segments = [
      { offset: 5, length: 8 },
      { offset: 100, length: 2 },
      { offset: 200, length: 20 },
    ];
    expect(file({ size: 300, chunks: [chunk(12), chunk(18)], segments })).toEqual([
      [12, 0, 8, 5],
      [12, 8, 2, 100],
      [12, 10, 2, 200],
      [18, 0, 18, 202],
    ]);
  });

  it('is not more than there is room for', () => {
    expect(() => file({ size: 5, chunks: [chunk(6)] })).toThrow(RangeError);
  });
});
