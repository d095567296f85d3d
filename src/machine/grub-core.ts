/**
 * GRUB's first two pieces on a BIOS disk, told where they lie. Offsets from GRUB's own sources
 * (`include/grub/i386/pc/boot.h`, `include/grub/offsets.h`).
 */

const sectorSize = 512;
/** Of boot.img: the sector of core.img, 64 bits. */
const kernelSectorAt = 0x5c;
/** Of boot.img: two bytes of code that pick the drive; replaced by no-operations they keep the one the BIOS names. */
const driveCheckAt = 0x66;
/** Only these bytes of the first sector are code; what follows is the disk's signature and the partition table. */
export const bootCodeLength = 440;
/** Of core.img's first sector: its own continuation as (sector 64 bits, count 16 bits, segment 16 bits). */
const blockListAt = 0x1f4;
/** Segment to which the continuation is loaded: 0x8000 + one sector, in paragraphs. */
const loadSegment = 0x820;

/** The boot code for a core that begins at `coreSector`: 440 bytes. Throws a `RangeError` for what is no boot.img. */
export function patchBootSector(bootImage: Uint8Array, coreSector: number): Buffer {
  if (bootImage.length !== sectorSize || bootImage[0x1fe] !== 0x55 || bootImage[0x1ff] !== 0xaa) {
    throw new RangeError("it is not GRUB's boot.img");
  }
  const code = Buffer.from(bootImage.subarray(0, bootCodeLength));
  code.writeBigUInt64LE(BigInt(coreSector), kernelSectorAt);
  code[driveCheckAt] = 0x90;
  code[driveCheckAt + 1] = 0x90;
  return code;
}

/** core.img for a place: `sector` is where it begins. Filled up to whole sectors. */
export function patchCoreImage(core: Uint8Array, sector: number): Buffer {
  const sectors = Math.ceil(core.length / sectorSize);
  if (sectors < 2 || sectors > 0x10000) throw new RangeError("it is not GRUB's core.img");
  const patched = Buffer.alloc(sectors * sectorSize);
  patched.set(core);
  patched.writeBigUInt64LE(BigInt(sector + 1), blockListAt);
  patched.writeUInt16LE(sectors - 1, blockListAt + 8);
  patched.writeUInt16LE(loadSegment, blockListAt + 10);
  return patched;
}
