import fc from 'fast-check';
import { expect, it } from 'vitest';
import { displayPath, type RawPath, rawPath } from './brand.ts';

it('keeps text through its raw bytes, and shows what is no text byte by byte', () => {
  expect(rawPath('ä')).toBe('\xc3\xa4');
  expect(displayPath('etc/\xc3\xa4\n' as RawPath)).toBe('etc/ä\\x0a');
  expect(displayPath('a\xffb' as RawPath)).toBe('a\\xffb');
  expect(displayPath('\xef\xbb\xbfa' as RawPath)).toBe('\ufeffa');
});

it('shows any well-formed text without control characters as itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      fc.pre(!/[\x00-\x1f\x7f]/.test(text) && text.isWellFormed());
      expect(displayPath(rawPath(text))).toBe(text);
    }),
  );
});
