import { expect, test } from 'vitest';
import { buildCpio, type CpioEntry } from './cpio.ts';

const entries: CpioEntry[] = [
  { kind: 'file', path: 'usr/bin/tool', content: Buffer.from('#!/bin/sh\n'), mode: 0o755 },
  { kind: 'symlink', path: 'bin', target: 'usr/bin' },
  { kind: 'file', path: 'empty', content: new Uint8Array() },
];

test('names, modes and contents, with the parent directories that were not given', () => {
  expect(read(Buffer.concat(buildCpio(entries, 1234)))).toEqual([
    { path: 'bin', mode: 0o120777, mtime: 1234, content: 'usr/bin' },
    { path: 'empty', mode: 0o100644, mtime: 1234, content: '' },
    { path: 'usr', mode: 0o040755, mtime: 1234, content: '' },
    { path: 'usr/bin', mode: 0o040755, mtime: 1234, content: '' },
    { path: 'usr/bin/tool', mode: 0o100755, mtime: 1234, content: '#!/bin/sh\n' },
  ]);
});

test('the order in which entries are given does not matter, and the length is a multiple of 512', () => {
  const bytes = Buffer.concat(buildCpio(entries, 0));
  expect(Buffer.concat(buildCpio(entries.toReversed(), 0)).equals(bytes)).toBe(true);
  expect(bytes.length % 512).toBe(0);
});

/** Written from the format's description alone. */
function read(bytes: Buffer) {
  const found = [];
  let at = 0;
  for (;;) {
    expect(bytes.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number) =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const size = field(6);
    const nameStart = at + 110;
    const path = bytes.toString('utf8', nameStart, nameStart + field(11) - 1);
    if (path === 'TRAILER!!!') return found;
    const start = (nameStart + field(11) + 3) & ~3;
    found.push({ path, mode: field(1), mtime: field(5), content: bytes.toString('utf8', start, start + size) });
    at = (start + size + 3) & ~3;
  }
}
