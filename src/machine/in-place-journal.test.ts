import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RawPath } from '../foundation/brand.ts';
import { decodePath, encodePath, parseJournal, renderJournal } from './in-place-journal.ts';

const name = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => Buffer.from(bytes).toString('latin1').replaceAll(/[\0/]/g, '_'))
  .filter((text) => text !== '.' && text !== '..');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/') as RawPath);

describe('journal of an in-place update', () => {
  it('reads as docs/update.md has it', () => {
    const text = renderJournal({
      id: '20261121-1f3c9a0d27e4',
      files: ['etc/os-release', 'usr/share/doc/a b'] as RawPath[],
      directories: ['etc', 'usr', 'usr/share'] as RawPath[],
    });
    expect(text).toBe(
      'imprint in-place 1\nid 20261121-1f3c9a0d27e4\nf etc/os-release\nf usr/share/doc/a\\0040b\n' +
        'd usr/share\nd usr\nd etc\nend 5\n',
    );
  });

  it('holds any path, in lines of ASCII', () => {
    fc.assert(
      fc.property(fc.array(path), fc.array(path), (files, directories) => {
        const text = renderJournal({ id: 'x-1', files, directories });
        expect(text).toMatch(/^[\x20-\x7e\n]*$/);
        expect(parseJournal(text)).toEqual({ id: 'x-1', files, directories });
      }),
    );
  });

  it('is refused where it was cut short at any byte', () => {
    const text = renderJournal({ id: 'x', files: ['a', 'b'] as RawPath[], directories: ['c'] as RawPath[] });
    for (let length = 0; length < text.length; length += 1) expect(parseJournal(text.slice(0, length))).toBeUndefined();
  });

  it('never leads out of the root', () => {
    for (const bad of ['', '/etc', '../x', 'a/../b', 'a//b', './a', 'a\\0000', 'a\\056/b', 'a b', '\\0056\\0056/x'])
      expect(decodePath(bad)).toBeUndefined();
    expect(decodePath(encodePath('a\\b' as RawPath))).toBe('a\\b');
  });
});
