import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { BootPointer } from './boot-pointer.ts';
import {
  choosePointer,
  parsePointer,
  parsePointerAsGrub,
  parseTries,
  renderPointer,
  renderTries,
} from './boot-pointer-block.ts';
import { readEnvironment, renderEnvironment } from './environment-block.ts';

const pointer: BootPointer = { sequence: 12, good: 'a-1f3c9a0d27e4', previous: 'b-0', trial: 'b-77', tries: 3 };

describe('the pointer’s records', () => {
  it('are what was written', () => {
    for (const given of [pointer, { sequence: 1, good: 'x', tries: 0 }, { ...pointer, sequence: 999_999_999 }]) {
      const block = renderPointer(given);
      expect(block.length).toBe(1024);
      expect(parsePointer(block)).toEqual(given);
      expect(parsePointerAsGrub(block)).toEqual(given);
    }
  });

  it('hold the longest ids in their first sector', () => {
    const id = 'z'.repeat(40);
    const block = renderPointer({ sequence: 999_999_999, good: id, previous: id, trial: id, tries: 9 });
    expect(block.lastIndexOf('\n')).toBeLessThan(512);
  });

  it('refuse what is no pointer', () => {
    const wrong: Partial<BootPointer>[] = [
      { sequence: 0 },
      { sequence: 1e9 },
      { sequence: 1.5 },
      { good: '' },
      { good: '9a' },
      { good: 'a b' },
      { trial: 'a=b' },
      { previous: 'a'.repeat(41) },
      { tries: 10 },
      { tries: -1 },
    ];
    for (const change of wrong) expect(() => renderPointer({ ...pointer, ...change })).toThrow(RangeError);
  });

  it('show every changed byte of what matters, to us and to GRUB', () => {
    const block = renderPointer(pointer);
    const length = block.lastIndexOf('\n') + 1;
    for (let at = 0; at < length; at += 1) {
      for (const byte of [0, 0x0a, 0x23, 0x3d, 0x5c, 0x31, 0xff, (block[at] ?? 0) ^ 1]) {
        if (byte === block[at]) continue;
        const damaged = Buffer.from(block);
        damaged[at] = byte;
        expect([at, byte, parsePointer(damaged), parsePointerAsGrub(damaged)]).toEqual([
          at,
          byte,
          undefined,
          undefined,
        ]);
      }
    }
    for (let at = length; at < block.length; at += 7) {
      const damaged = Buffer.from(block);
      damaged[at] = (block[at] ?? 0) ^ 0x40;
      expect(parsePointer(damaged)).toEqual(pointer);
    }
  });

  it('show every torn write, whichever end came first', () => {
    const older = renderPointer({ sequence: 10, good: 'b-0', previous: 'a-1f3c9a0d27e4', tries: 0 });
    const newer = renderPointer(pointer);
    for (let cut = 0; cut <= newer.length; cut += 1) {
      for (const [first, second] of [
        [newer, older],
        [older, newer],
      ] as const) {
        const torn = Buffer.concat([first.subarray(0, cut), second.subarray(cut)]);
        // The shorter of the two may be whole with a rest of the other behind it; never a mixture.
        const whole = [parsePointer(older), parsePointer(newer), undefined];
        expect(whole).toContainEqual(parsePointer(torn));
        expect(whole).toContainEqual(parsePointerAsGrub(torn));
        if (parsePointer(torn)) expect(parsePointerAsGrub(torn)).toEqual(parsePointer(torn));
      }
    }
  });

  it('count by the higher number, the first of equal ones', () => {
    const other = { sequence: 13, good: 'b', tries: 0 };
    expect(choosePointer(pointer, other)).toBe(other);
    expect(choosePointer(other, pointer)).toBe(other);
    expect(choosePointer(undefined, pointer)).toBe(pointer);
    expect(choosePointer(pointer, { ...pointer })).toBe(pointer);
    expect(choosePointer(undefined, undefined)).toBeUndefined();
  });
});

describe('the count of tries', () => {
  it('is what was written, and what GRUB makes of it', () => {
    for (const given of [
      { sequence: 0, left: 0 },
      { sequence: 4, left: 2, revert: 4, newLeft: 0 },
    ]) {
      expect(parseTries(renderTries(given))).toEqual(given);
    }
    expect(() => renderTries({ sequence: 1, left: 10 })).toThrow(RangeError);
  });

  it('has no try where it cannot be read', () => {
    expect(parseTries(Buffer.alloc(1024))).toBeUndefined();
    expect(
      parseTries(
        renderEnvironment([
          ['seq', '3'],
          ['left', '3'],
        ]),
      ),
    ).toBeUndefined();
    expect(
      parseTries(
        renderEnvironment([
          ['form', '1'],
          ['seq', '3'],
          ['left', 'x'],
          ['new_left', '12'],
        ]),
      ),
    ).toEqual({
      sequence: 3,
      left: 0,
      newLeft: 0,
    });
  });
});

describe('an environment block', () => {
  const read = (text: string) =>
    Object.fromEntries(readEnvironment(Buffer.from(`# GRUB Environment Block\n${text}`)) ?? []);

  it('is read as GRUB reads it, damaged or not', () => {
    expect(read('a=1\nb=\n####')).toEqual({ a: '1', b: '' });
    expect(read('a=1\\\n2\nb=\\\\\n##')).toEqual({ a: '1\n2', b: '\\' });
    expect(read('lost\nb=2\n')).toEqual({ 'lost\nb': '2' });
    expect(read('a=1\n#b=2\na=3\nc=open')).toEqual({ a: '3' });
    expect(readEnvironment(Buffer.from('# GRUB Environment Block\n'))).toBeUndefined();
  });
});
