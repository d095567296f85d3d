import { expect, test } from 'vitest';
import { visibleMountPoints } from './mount.ts';

/** Lines as the kernel writes them, of `ID PARENT POINT`. */
function table(...lines: string[]): string {
  return lines
    .map((line) => line.split(' '))
    .map(([id, parent, point]) => `${id} ${parent} 0:41 / ${point} rw,relatime - tmpfs x rw\n`)
    .join('');
}

test('mount points are told in their order, with the characters that the kernel writes in octal', () => {
  const text = table('20 1 /', '21 20 /run', '22 21 /run/a\\040b', '23 20 /srv');
  expect(visibleMountPoints(text)).toEqual(['/', '/run', '/run/a b', '/srv']);
});

test('what was mounted before something above it was hidden is none that umount could find', () => {
  const text = table('20 1 /', '21 20 /run', '22 21 /run/imprint/boot', '23 21 /run/imprint', '24 20 /run-else');
  expect(visibleMountPoints(text)).toEqual(['/', '/run', '/run/imprint', '/run-else']);
  expect(visibleMountPoints(`${text}${table('25 23 /run/imprint/boot')}`)).toEqual([
    ...['/', '/run', '/run/imprint', '/run-else', '/run/imprint/boot'],
  ]);
});

test('of two mounts on one directory both are there to be undone', () => {
  expect(visibleMountPoints(table('20 1 /', '21 20 /mnt', '22 21 /mnt'))).toEqual(['/', '/mnt', '/mnt']);
});

test('what was mounted over the root of this process is not above it: it looks from below', () => {
  const text = table('20 1 /', '21 20 /run', '22 21 /run/target', '30 20 /', '31 30 /run', '32 31 /run/user');
  expect(visibleMountPoints(text)).toEqual(['/', '/run', '/run/target']);
});

test('a root whose parent is not in the table, or is itself; and a chroot whose root is no mount', () => {
  expect(visibleMountPoints(table('31 20 /proc', '32 20 /dev', '33 32 /dev/pts'))).toEqual([
    '/proc',
    '/dev',
    '/dev/pts',
  ]);
  expect(visibleMountPoints(table('30 30 /', '31 30 /proc'))).toEqual(['/', '/proc']);
  expect(visibleMountPoints('')).toEqual([]);
});
