import { expect, it } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import { parseExcludes } from './exclude.ts';
import type { ListedPath } from './golden-listing.ts';
import { secretFinder } from './secrets.ts';
import { excludeSieve, selectPaths } from './selection.ts';

function listed(path: string, type = 'f', more: Partial<ListedPath> = {}): ListedPath {
  const moment = { seconds: 1, nanoseconds: 0 };
  const times = { mtime: moment, ctime: moment };
  return {
    path: path as RawPath,
    type,
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 1,
    ...times,
    inode: path,
    device: '1',
    links: 1,
    ...more,
  };
}

const everything = { excluder: parseExcludes([]), leftOut: new Set<RawPath>(), notEntered: [] };

it('puts paths in manifest order, each once', () => {
  const listing = ['', 'b', 'a', 'a-b', 'a/c', 'b'].map((path) =>
    listed(path, path === 'a' || path === '' ? 'd' : 'f'),
  );
  expect(selectPaths(listing, everything).paths.map((selected) => selected.listed.path)).toEqual([
    '',
    'a',
    'a/c',
    'a-b',
    'b',
  ]);
});

it('makes the first name in order the one that is read, and the others links to it', () => {
  const listing = [
    listed('', 'd'),
    listed('z', 'f', { links: 2, inode: '5' }),
    listed('m', 'f', { links: 2, inode: '5' }),
  ];
  const other = listed('n', 'f', { links: 2, inode: '5', device: '2' });
  expect(selectPaths([...listing, other], everything).paths.map(({ how, first }) => [how, first])).toEqual([
    ['content', undefined],
    ['content', undefined],
    ['content', undefined],
    ['link', 'm'],
  ]);
});

it('leaves out what is below a directory that is left out, and nothing that only begins alike', () => {
  const rules = { ...everything, excluder: parseExcludes(['/a']) };
  const listing = [listed('', 'd'), listed('a', 'd'), listed('a/x', 'd'), listed('a/x/y'), listed('ab')];
  expect(selectPaths(listing, rules).paths.map((selected) => selected.listed.path)).toEqual(['', 'ab']);
  expect(listing.filter(excludeSieve(rules.excluder)).map(({ path }) => path)).toEqual(['', 'ab']);
});

it('takes sockets and mount points from the listing, and secrets as their rule says', () => {
  const rules = { ...everything, leftOut: new Set(['proc' as RawPath]), secrets: secretFinder() };
  const listing = [
    listed('', 'd'),
    listed('proc', 'd'),
    listed('sock', 's'),
    listed('etc', 'd'),
    listed('etc/machine-id'),
    listed('etc/krb5.keytab'),
  ];
  const { paths, scrubbed } = selectPaths(listing, rules);
  expect(paths.map((selected) => [selected.listed.path, selected.how])).toEqual([
    ['', 'content'],
    ['etc', 'content'],
    ['etc/machine-id', 'empty'],
    ['proc', 'listed'],
    ['sock', 'listed'],
  ]);
  expect(scrubbed).toEqual(['etc/krb5.keytab', 'etc/machine-id']);
});
