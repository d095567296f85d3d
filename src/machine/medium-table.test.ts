import fc from 'fast-check';
import { expect, it } from 'vitest';
import { layMedium, type MediumWish, renderMediumTable } from './medium-table.ts';

const mebibyte = 2 ** 20;
const uuid = '00000000-0000-8000-8000-000000000001';
const wish = (number: number, size: number | 'rest'): MediumWish => ({
  ...{ number, size, uuid },
  role: number === 1 ? 'bios-boot' : number === 2 ? 'boot' : 'data',
  name: `part ${number}`,
});

it('lays partitions one after another and leaves room for both tables', () => {
  const table = layMedium(
    uuid,
    [wish(1, mebibyte), wish(2, 40 * mebibyte + 1), wish(4, 8 * mebibyte), wish(3, 'rest')],
    256 * mebibyte,
  );
  expect(table.partitions.map(({ number, start, size }) => [number, start / mebibyte, size / mebibyte])).toEqual([
    [1, 1, 1],
    [2, 2, 41],
    [4, 43, 8],
    [3, 51, 204],
  ]);
  expect(renderMediumTable(table).split('\n').slice(5)).toEqual([
    `1 : start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=${uuid}, name="part 1"`,
    `2 : start=4096, size=83968, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, uuid=${uuid}, name="part 2"`,
    `4 : start=88064, size=16384, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=${uuid}, name="part 4"`,
    `3 : start=104448, size=417792, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=${uuid}, name="part 3"`,
    '',
  ]);
});

it('is as large as what is on it, where nothing else is said', () => {
  expect(layMedium(uuid, [wish(1, mebibyte), wish(2, 40 * mebibyte)]).size).toBe(43 * mebibyte);
});

it('says what does not fit', () => {
  expect(() => layMedium(uuid, [wish(1, mebibyte), wish(2, 40 * mebibyte)], 30 * mebibyte)).toThrow('“part 2”');
  expect(() => layMedium(uuid, [wish(1, mebibyte), wish(2, 'rest')], 3 * mebibyte)).toThrow('“part 2”');
});

it('never overlaps and never leaves the medium', () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 2 ** 33 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 2 ** 36 }), (wanted, size) => {
      const wishes = wanted.map((each, index) => wish(index + 1, index === wanted.length - 1 ? 'rest' : each));
      let end = mebibyte;
      try {
        for (const part of layMedium(uuid, wishes, size).partitions) {
          expect(part.start).toBe(end);
          end = part.start + part.size;
        }
      } catch (error) {
        if (error instanceof RangeError) return;
        throw error;
      }
      expect(end).toBeLessThanOrEqual(size - mebibyte);
    }),
  );
});
