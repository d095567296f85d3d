import { describe, expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';

describe('crc32c', () => {
  it('is the CRC of RFC 3720, not inverted at the end', () => {
    const value = (bytes: Uint8Array) => (crc32c(0xffffffff, bytes) ^ 0xffffffff) >>> 0;
    expect(value(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(value(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(value(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  });

  it('carries on from any place', () => {
    const bytes = Buffer.from('a tail of odd length, cut anywhere');
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(crc32c(crc32c(0xffffffff, bytes, 0, cut), bytes, cut)).toBe(crc32c(0xffffffff, bytes));
    }
  });
});
