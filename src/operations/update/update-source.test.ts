import { expect, it } from 'vitest';
import { splitPlace } from './update-source.ts';

it.each([
  ['web', { reference: 'web' }],
  ['web:3', { reference: 'web:3' }],
  ['web@sha256:ab', { reference: 'web@sha256:ab' }],
  ['/mnt/store', { location: '/mnt/store' }],
  ['/mnt/store#web:2', { location: '/mnt/store', reference: 'web:2' }],
  ['./store#web', { location: './store', reference: 'web' }],
  ['../store#', { location: '../store' }],
  ['http://s:4280/store#web:2', { location: 'http://s:4280/store', reference: 'web:2' }],
  ['HTTPS://s/store', { location: 'HTTPS://s/store' }],
])('reads %s', (asked, expected) => {
  expect(splitPlace(asked)).toEqual(expected);
});
