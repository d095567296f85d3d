/**
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected) as ext4 uses it: the register is carried on from call to call and never
 * inverted. Begin with `0xffffffff`.
 */
export function crc32c(register: number, bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = register;
  let at = from;
  for (; at + 4 <= to; at += 4) {
    crc ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    crc =
      (tables[768 + (crc & 0xff)] as number) ^
      (tables[512 + ((crc >>> 8) & 0xff)] as number) ^
      (tables[256 + ((crc >>> 16) & 0xff)] as number) ^
      (tables[crc >>> 24] as number);
  }
  for (; at < to; at += 1) crc = (crc >>> 8) ^ (tables[(crc ^ (bytes[at] as number)) & 0xff] as number);
  return crc >>> 0;
}

/** The same over 32-bit little-endian numbers. */
export function crc32cOfNumbers(register: number, ...numbers: readonly number[]): number {
  const bytes = new Uint8Array(numbers.length * 4);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, index) => {
    view.setUint32(index * 4, number, true);
  });
  return crc32c(register, bytes);
}

/** Four tables, so that four bytes are taken at a time. */
const tables = makeTables();

function makeTables(): Uint32Array {
  const table = new Uint32Array(1024);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    table[byte] = crc >>> 0;
  }
  for (let index = 256; index < 1024; index += 1) {
    const before = table[index - 256] as number;
    table[index] = ((before >>> 8) ^ (table[before & 0xff] as number)) >>> 0;
  }
  return table;
}
