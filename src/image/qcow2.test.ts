import { describe, expect, it } from 'vitest';
import { clusterSize, Qcow2Tables } from './qcow2.ts';

/** Reads a cluster as the specification says: L1, L2, place. */
function placeOf(image: Buffer, cluster: number): bigint {
  const l1 = Number(image.readBigUInt64BE(40));
  const l2 = image.readBigUInt64BE(l1 + Math.floor(cluster / 8192) * 8) & 0x00ff_ffff_ffff_fe00n;
  return l2 === 0n ? 0n : image.readBigUInt64BE(Number(l2) + (cluster % 8192) * 8);
}

function imageOf(tables: Qcow2Tables): Buffer {
  const { pieces, size } = tables.finish();
  const image = Buffer.alloc(size);
  for (const { offset, bytes } of pieces) image.set(bytes, offset);
  return image;
}

describe('qcow2 tables', () => {
  it('find every cluster that was put, and no other', () => {
    const tables = new Qcow2Tables(20_000 * clusterSize);
    const places = [0, 1, 8191, 8192, 19_999].map((cluster) => [cluster, tables.put(cluster)] as const);
    const image = imageOf(tables);
    expect(image.toString('latin1', 0, 4)).toBe('QFI\xfb');
    for (const [cluster, place] of places) expect(placeOf(image, cluster)).toBe(BigInt(place) | (1n << 63n));
    for (const cluster of [2, 8190, 8193, 15_000]) expect(placeOf(image, cluster)).toBe(0n);
  });

  it('count how often each cluster of the image is used', () => {
    const tables = new Qcow2Tables(10 * clusterSize, 'zstd');
    tables.putCompressed(0, 30_000);
    tables.putCompressed(1, 40_000);
    tables.put(2);
    const image = imageOf(tables);
    const table = Number(image.readBigUInt64BE(48));
    const block = Number(image.readBigUInt64BE(table));
    const counts = Array.from({ length: image.length / clusterSize }, (_, index) =>
      image.readUInt16BE(block + index * 2),
    );
    // Header, L1, a shared cluster, its second half, the plain one, L2, and both refcount tables.
    expect(counts).toEqual([1, 1, 2, 1, 1, 1, 1, 1]);
    expect(image.readBigUInt64BE(72)).toBe(8n);
    const place = placeOf(image, 1);
    expect(place & (1n << 62n)).not.toBe(0n);
    // From byte 161,072, in sector 314, to the end of sector 392: 78 sectors more than the first.
    expect((place >> 54n) & 0xffn).toBe(78n);
  });
});
