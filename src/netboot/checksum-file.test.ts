import { describe, expect, it } from 'vitest';
import { checksumNames, dearmor, findChecksum } from './checksum-file.ts';

const a = 'a'.repeat(64);
const b = 'B'.repeat(128);

describe('findChecksum', () => {
  it.each([
    ['sha256sum', `${'c'.repeat(64)}  other.iso\n${a}  x.iso\n`, a],
    ['binary mode', `${a} *x.iso\r\n`, a],
    ['with a path', `${a}  ./isos/x.iso\n`, a],
    [
      'BSD, in a signed message',
      `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n# x.iso: 1 bytes\nSHA256 (x.iso) = ${a}\n`,
      a,
    ],
    ['SHA-512', `${b}  x.iso`, b.toLowerCase()],
    ['a checksum alone', `${a}\n`, a],
    ['another file', `${a}  x.iso.zsync\n`, undefined],
    ['nothing', '', undefined],
  ])('reads %s', (_, text, expected) => {
    expect(findChecksum(text, 'x.iso')?.hex).toBe(expected);
  });
});

it('looks for the most particular file first', () => {
  const beside = [
    'SHA256SUMS',
    'x.iso',
    'x.iso.sha256',
    'Fedora-40-CHECKSUM',
    'sha256sum.txt',
    'SHA256SUMS.gpg',
    'notes',
  ];
  expect(checksumNames('x.iso', beside)).toEqual(['x.iso.sha256', 'Fedora-40-CHECKSUM', 'SHA256SUMS', 'sha256sum.txt']);
});

it('takes armor off', () => {
  const text =
    '-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: nobody\n\naGVsbG8g\nd29ybGQ=\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n';
  expect(dearmor(text)?.toString()).toBe('hello world');
  expect(dearmor('no key')).toBeUndefined();
});
