import { expect, it } from 'vitest';
import { patchBootSector, patchCoreImage } from './grub-core.ts';

it('tells the boot code where the core lies, in 440 bytes that leave the partition table alone', () => {
  const image = Buffer.alloc(512, 0xee);
  image.writeUInt16LE(0xaa55, 0x1fe);
  const code = patchBootSector(image, 0x1_0000_0800);
  expect(code).toHaveLength(440);
  expect(code.readBigUInt64LE(0x5c)).toBe(0x1_0000_0800n);
  expect(code.readUInt16LE(0x66)).toBe(0x9090);
  expect(() => patchBootSector(Buffer.alloc(512), 1)).toThrow(RangeError);
});

it('tells the core where it goes on', () => {
  const core = patchCoreImage(Buffer.alloc(30_000, 1), 2048);
  expect(core.length).toBe(59 * 512);
  expect(core.readBigUInt64LE(0x1f4)).toBe(2049n);
  expect(core.readUInt16LE(0x1fc)).toBe(58);
  expect(core.readUInt16LE(0x1fe)).toBe(0x820);
  expect(() => patchCoreImage(Buffer.alloc(100), 1)).toThrow(RangeError);
});
