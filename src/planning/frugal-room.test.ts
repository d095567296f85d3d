import { expect, test } from 'vitest';
import { frugalRoom } from './frugal-room.ts';

const mebibyte = 2 ** 20;
const files = { imager: 90 * mebibyte, store: { sparse: 200 * mebibyte, whole: 300 * mebibyte } };

test('on a file system with holes, room for what is kept is taken when it is written', () => {
  const needed = (90 + 200 + 64) * mebibyte;
  for (const fileSystem of ['ext4', 'xfs', 'btrfs'])
    expect(frugalRoom({ ...files, changes: 2 ** 40 }, fileSystem)).toEqual({ needed });
});

test('FAT has neither holes nor files of 4 GiB', () => {
  expect(frugalRoom({ ...files, changes: 1000 * mebibyte }, 'vfat')).toEqual({
    needed: (90 + 300 + 1000 + 64) * mebibyte,
  });
  expect(frugalRoom({ ...files, changes: 4096 * mebibyte }, 'vfat')).toMatchObject({
    problem: expect.stringContaining('4 GiB'),
  });
  expect(frugalRoom({ ...files, changes: 4095 * mebibyte }, 'vfat')).toHaveProperty('needed');
});

test('a system could not even start with less than it writes then', () => {
  expect(frugalRoom({ ...files, changes: 63 * mebibyte }, 'ext4')).toHaveProperty('problem');
  expect(frugalRoom(files, 'ext4')).toHaveProperty('needed');
});
