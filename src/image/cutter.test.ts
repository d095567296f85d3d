import { createCipheriv, createHash, hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createGearTable, cutMaximum, cutMinimum, findCut } from './cutter.ts';

const gear = createGearTable();

/** The same bytes on every machine: the key stream of AES-128-CTR, keyed by the SHA-256 of the seed. */
function noise(length: number, seed = ''): Buffer {
  const key = hash('sha256', seed, 'buffer');
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(length));
}

function cutsOf(data: Uint8Array): number[] {
  const cuts: number[] = [];
  for (let at = 0; at < data.length; at = cuts.at(-1) ?? data.length) cuts.push(findCut(gear, data, at, data.length));
  return cuts;
}

/** As the specification words it, a byte at a time. */
function plainCut(data: Uint8Array, from: number): number {
  const length = Math.min(data.length - from, cutMaximum);
  if (length <= cutMinimum) return from + length;
  let sum = 0;
  for (let at = cutMinimum - 32; at < length; at += 1) {
    sum = (sum * 2 + (gear[data[from + at] as number] as number)) >>> 0;
    if (at >= cutMinimum && sum < 2 ** (at < 1 << 20 ? 10 : 14)) return from + at + 1;
  }
  return from + length;
}

test('the gear table and the cuts are those of the specification', () => {
  expect([...gear.slice(0, 3)].map((value) => (value >>> 0).toString(16))).toMatchInlineSnapshot(`
    [
      "8f7d4b5a",
      "b715cfd1",
      "6e8ff272",
    ]
  `);
  expect(createHash('sha256').update(Buffer.from(gear.buffer)).digest('hex')).toMatchInlineSnapshot(
    `"fb00e9eaada955f9a96a2e057411a692c6b05c1b5b9c69a6d4f891a3781e1a43"`,
  );
  expect(cutsOf(noise(10 << 20))).toMatchInlineSnapshot(`
    [
      1187956,
      2240674,
      3404804,
      4475009,
      5727150,
      6804076,
      7647222,
      8850080,
      10030804,
      10485760,
    ]
  `);
});

test.each([0, 1, 2, 3])('the fast loop cuts as the plain one does, %d bytes from where words begin', (offset) => {
  const data = noise(8 << 20, `plain ${offset}`).subarray(offset);
  for (let at = 0; at < data.length; ) {
    const cut = findCut(gear, data, at, data.length);
    expect(cut).toBe(plainCut(data, at));
    at = cut;
  }
});

test('chunks keep their bounds, and bytes that repeat are cut at the maximum', () => {
  const data = noise(40 << 20, 'bounds');
  const lengths = cutsOf(data).map((cut, index, cuts) => cut - (cuts[index - 1] ?? 0));
  for (const length of lengths.slice(0, -1)) {
    expect(length).toBeGreaterThan(cutMinimum);
    expect(length).toBeLessThanOrEqual(cutMaximum);
  }
  const mean = data.length / lengths.length;
  expect(mean).toBeGreaterThan(800_000);
  expect(mean).toBeLessThan(1_600_000);
  expect(cutsOf(Buffer.alloc(9 << 20))).toEqual([4 << 20, 8 << 20, 9 << 20]);
});

test('an insertion moves only the cuts near it', () => {
  const data = noise(16 << 20, 'insert');
  const changed = Buffer.concat([data.subarray(0, 3 << 20), Buffer.from('inserted'), data.subarray(3 << 20)]);
  const before = new Set(cutsOf(data).map((cut) => data.length - cut));
  const after = cutsOf(changed).map((cut) => changed.length - cut);
  expect(after.filter((cut) => !before.has(cut)).length).toBeLessThan(6);
  expect(after.filter((cut) => before.has(cut)).length).toBeGreaterThan(8);
});
