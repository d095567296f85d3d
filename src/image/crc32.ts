import { crc32 as zlibCrc32 } from 'node:zlib';

/** CRC-32 as IEEE 802.3 has it (zlib, gzip, GPT): a number without a sign. */
export function crc32(bytes: Uint8Array): number {
  return zlibCrc32(bytes) >>> 0;
}
