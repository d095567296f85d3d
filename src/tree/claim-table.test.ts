import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ClaimTable } from './claim-table.ts';

const hashOf = (text: string) => new Int32Array(new Uint8Array(hash('sha256', text, 'buffer')).buffer);

describe('ClaimTable', () => {
  it('gives a hash to the first who claims it', () => {
    const table = ClaimTable.create(10);
    expect(table.has(hashOf('a'))).toBe(false);
    expect(table.claim(hashOf('a'))).toBe(true);
    expect(table.claim(hashOf('a'))).toBe(false);
    expect(table.has(hashOf('a'))).toBe(true);
  });

  it('is one table for all who have its memory', () => {
    const one = ClaimTable.create(10);
    const other = new ClaimTable(one.memories);
    expect(one.claim(hashOf('x'))).toBe(true);
    expect(other.claim(hashOf('x'))).toBe(false);
  });

  it('keeps what it had when it grows, and takes no more than fits before', () => {
    const table = ClaimTable.create(10);
    const late = new ClaimTable(table.memories);
    const count = 70_000;
    for (let index = 0; index < count; index += 1) {
      expect(table.claim(hashOf(`n${index}`))).toBe(true);
      if (table.crowded) table.grow();
    }
    for (let index = 0; index < count; index += 1) expect(table.claim(hashOf(`n${index}`))).toBe(false);
    // Who has not heard of the new generation stores twice at worst, and never waits.
    for (let index = 0; index < count; index += 1) late.claim(hashOf(`late${index}`));
    expect(late.claim(hashOf('n0'))).toBe(false);
  });

  it('tells hashes apart that begin alike', () => {
    const table = ClaimTable.create(10);
    const left = hashOf('left');
    const right = Int32Array.from(left);
    right[7] = (right[7] ?? 0) ^ 1;
    expect(table.claim(left)).toBe(true);
    expect(table.claim(right)).toBe(true);
  });
});
