import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutText, padText, textWidth, wrapText } from './text-width.ts';

describe('textWidth', () => {
  it.each([
    ['abc', 3],
    ['\u001b[1mabc\u001b[22m', 3],
    ['äöü', 3],
    ['e\u0301', 1],
    ['日本', 4],
    ['⠋━', 2],
    ['', 0],
  ])('%j takes %d cells', (text, width) => expect(textWidth(text)).toBe(width));
});

describe('cutText', () => {
  it('never exceeds its width, and leaves what fits as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 40 }), (text, width) => {
        const cut = cutText(text, width);
        expect(textWidth(cut)).toBeLessThanOrEqual(Math.max(width, 0));
        if (textWidth(text) <= width) expect(cut).toBe(text);
      }),
    );
  });

  it('closes the colours that it cut open', () => {
    expect(cutText('\u001b[31mabcdef\u001b[39m', 4)).toBe('\u001b[31mabc\u001b[0m…');
  });
});

it('pads by cells, not by units', () => {
  expect(padText('日', 4)).toBe('日  ');
  expect(padText('7', 3, 'right')).toBe('  7');
});

it('wraps at blanks and loses no word', () => {
  expect(wrapText('one two three', 8)).toEqual(['one two', 'three']);
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
      fc.integer({ min: 5, max: 30 }),
      (words, width) => {
        const lines = wrapText(words.join(' '), width);
        expect(lines.join(' ')).toBe(words.join(' '));
        for (const line of lines) expect(line.length <= width || !line.includes(' ')).toBe(true);
      },
    ),
  );
});
