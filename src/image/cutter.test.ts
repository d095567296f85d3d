import { createCipheriv, createHash, hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { createGearTable, cutMaximum, findCut } from './cutter.ts';

const gear = createGearTable();

/** The same bytes on every machine: the key stream of AES-128-CTR, keyed by the SHA-256 of the seed. */
function noise(length: number, seed = ''): Buffer {
  const key = hash('sha256', seed, 'buffer');
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(length));
}

/** Where a file's data is cut that begins `position` bytes into it. */
function cutsOf(data: Uint8Array, position = 0): number[] {
  const cuts: number[] = [];
  for (let at = 0; at < data.length; at = cuts.at(-1) ?? data.length)
    cuts.push(findCut(gear, data, at, data.length, position + at));
  return cuts;
}

/** As the specification words it, a byte at a time. */
function plainCut(data: Uint8Array, from: number, position: number): number {
  const at0 = position + from;
  const a = at0 < 1_073_741_824 ? 15 : at0 < 68_719_476_736 ? 18 : 20;
  const length = Math.min(data.length - from, 4 * 2 ** a);
  if (length <= 2 ** a / 4) return from + length;
  let sum = 0;
  for (let at = 2 ** a / 4 - 32; at < length; at += 1) {
    sum = (sum * 2 + (gear[data[from + at] as number] as number)) >>> 0;
    if (at >= 2 ** a / 4 && sum < 2 ** (32 - (at < 2 ** a ? a + 2 : a - 2))) return from + at + 1;
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
  const data = noise(10 << 20);
  const cuts = cutsOf(data);
  expect(cuts.slice(0, 8)).toMatchInlineSnapshot(`
    [
      38755,
      81594,
      117392,
      158259,
      191522,
      222382,
      261929,
      302172,
    ]
  `);
  expect(cuts.length).toMatchInlineSnapshot(`286`);
  expect(createHash('sha256').update(cuts.join(' ')).digest('hex')).toMatchInlineSnapshot(
    `"3941cb56d0137c2d7d4eb9d68ec67eab065520980986e34ee13138d1d35a378c"`,
  );
  expect(cutsOf(data, 2 ** 30 - 1_000_000).slice(-40)).toMatchInlineSnapshot(`
    [
      848369,
      865423,
      906530,
      939718,
      985338,
      997580,
      1035343,
      1187956,
      1514986,
      1831967,
      2098876,
      2422753,
      2701555,
      2996629,
      3287445,
      3483933,
      3862258,
      4125409,
      4394242,
      4810599,
      5100701,
      5370904,
      5727150,
      6072791,
      6357034,
      6627321,
      6901952,
      7165355,
      7539072,
      7647222,
      7979992,
      8254984,
      8620971,
      8929040,
      9253593,
      9645071,
      9917434,
      10195245,
      10320159,
      10485760,
    ]
  `);
});

test.each([
  [0, 2 ** 30],
  [1, 2 ** 30],
  [2, 2 ** 36],
  [3, 2 ** 36],
])('the fast loop cuts as the plain one does, %d bytes from where words begin', (offset, border) => {
  const data = noise(6 << 20, `plain ${offset}`).subarray(offset);
  const position = border - (1 << 20);
  for (let at = 0; at < data.length; ) {
    const cut = findCut(gear, data, at, data.length, position + at);
    expect(cut).toBe(plainCut(data, at, position));
    at = cut;
  }
});

test.each([
  ['in the first GiB', 0, 32 << 10],
  ['after it', 2 ** 30, 256 << 10],
  ['after 64 GiB', 2 ** 36, 1 << 20],
])('chunks keep their bounds, and bytes that repeat are cut at the maximum, %s', (_, position, normal) => {
  const data = noise(40 << 20, 'bounds');
  const lengths = cutsOf(data, position).map((cut, index, cuts) => cut - (cuts[index - 1] ?? 0));
  expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThan(normal / 4);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(normal * 4);
  expect(normal * 4).toBeLessThanOrEqual(cutMaximum);
  const mean = data.length / lengths.length;
  expect(mean).toBeGreaterThan(normal * 0.8);
  expect(mean).toBeLessThan(normal * 1.6);
  expect(cutsOf(Buffer.alloc(9 * normal), position)).toEqual([4 * normal, 8 * normal, 9 * normal]);
});

test('an insertion moves only the cuts near it', () => {
  const data = noise(16 << 20, 'insert');
  const changed = Buffer.concat([data.subarray(0, 3 << 20), Buffer.from('inserted'), data.subarray(3 << 20)]);
  const before = new Set(cutsOf(data).map((cut) => data.length - cut));
  const after = cutsOf(changed).map((cut) => changed.length - cut);
  // The cuts before the insertion are counted from the other end now.
  const early = after.filter((cut) => changed.length - cut < 3 << 20).length;
  expect(after.filter((cut) => !before.has(cut)).length - early).toBeLessThan(6);
  expect(after.filter((cut) => before.has(cut)).length).toBeGreaterThan(300);
});
