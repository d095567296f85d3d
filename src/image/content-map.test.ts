import { describe, expect, it } from 'vitest';
import { ContentMap, type PlacedContent } from './content-map.ts';

const chunk = (length: number) => ({ hash: Buffer.alloc(32, length % 251), length });
const piece = (position: number, length: number, skip = 0): PlacedContent => ({
  chunk: chunk(1000),
  skip,
  length,
  position,
});

/** `own 0+10, 1 10+5 from 3`. */
function told(map: ContentMap, position: number, length: number): string {
  return map
    .spans(position, length)
    .map(
      (span) =>
        `${span.kind === 'own' ? 'own' : span.piece} ${span.position}+${span.length}${span.kind === 'own' ? '' : ` from ${span.skip}`}`,
    )
    .join(', ');
}

describe('which bytes of a device are content', () => {
  const map = new ContentMap([piece(200, 50, 7), piece(100, 30), piece(130, 20, 100), piece(500, 0)]);

  it.each([
    [0, 50, 'own 0+50'],
    [90, 20, 'own 90+10, 0 100+10 from 0'],
    [110, 10, '0 110+10 from 10'],
    [100, 50, '0 100+30 from 0, 1 130+20 from 100'],
    [140, 80, '1 140+10 from 110, own 150+50, 2 200+20 from 7'],
    [249, 2, '2 249+1 from 56, own 250+1'],
    [250, 1000, 'own 250+1000'],
    [50, 0, ''],
  ])('from %i, %i bytes: %s', (position, length, spans) => {
    expect(told(map, position, length)).toBe(spans);
  });

  it('covers every byte once, whatever lies there', () => {
    const pieces = Array.from({ length: 200 }, (_, index) => piece(index * 37 + (index % 5), 20 + (index % 13)));
    const many = new ContentMap(pieces);
    for (let from = 0; from < 7600; from += 97) {
      let at = from;
      for (const span of many.spans(from, 333)) {
        expect(span.position).toBe(at);
        at += span.length;
      }
      expect(at).toBe(from + 333);
    }
  });

  it('has nothing where there is nothing, and refuses two at one place', () => {
    expect(told(new ContentMap([]), 5, 10)).toBe('own 5+10');
    expect(() => new ContentMap([piece(0, 10), piece(9, 10)])).toThrow('two pieces lie at byte 9');
  });
});
