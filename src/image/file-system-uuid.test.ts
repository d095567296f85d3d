import { describe, expect, it } from 'vitest';
import { crc32c } from './ext4/crc32c.ts';
import { uuidChange, wholeBlock } from './file-system-uuid.ts';
import { FormatError } from './format-error.ts';

const uuid = '6d3b1c52-3f0e-4a8e-9a64-2f6d5a1c0e11';
const wanted = Buffer.from('6d3b1c523f0e4a8e9a642f6d5a1c0e11', 'hex');
const old = Buffer.alloc(16, 7);
const sum = (bytes: Buffer) => (crc32c(0xffffffff, bytes) ^ 0xffffffff) >>> 0;

/** A superblock of an xfs of two groups of 1000 blocks, its log of 16 blocks at the tenth of the second. */
function xfsSuperblock(): Buffer {
  const block = Buffer.alloc(wholeBlock, 0x55);
  block.write('XFSB', 0, 'latin1');
  block.writeUInt32BE(4096, 4);
  old.copy(block, 32);
  block.writeBigUInt64BE((1n << 10n) + 10n, 48);
  block.writeUInt32BE(1000, 84);
  block.writeUInt32BE(2, 88);
  block.writeUInt32BE(16, 96);
  block.writeUInt16BE(0xb4a5, 100);
  block.writeUInt16BE(512, 102);
  block.writeUInt8(10, 124);
  block.writeUInt32BE(0xb, 216);
  block.fill(0, 248, 264);
  return block;
}

function logBlock(): Buffer {
  const block = Buffer.alloc(wholeBlock, 0x33);
  for (const at of [512, 1024]) {
    block.writeUInt32BE(0xfeedbabe, at);
    old.copy(block, at + 304);
  }
  block.fill(9, 1024 + 304, 1024 + 320);
  return block;
}

describe('another UUID for an xfs', () => {
  const change = () => uuidChange('xfs', xfsSuperblock(), 2000 * wholeBlock, uuid);

  it.each([0, 1000 * wholeBlock])('is in the superblock at %i, with its checksum', (position) => {
    const block = xfsSuperblock();
    change().apply(position, block);
    expect(block.subarray(32, 48)).toEqual(wanted);
    expect(block.subarray(248, 264)).toEqual(old);
    expect(block.readUInt32BE(216)).toBe(0xf);
    const stored = block.readUInt32LE(224);
    block.writeUInt32LE(0, 224);
    expect(stored).toBe(sum(block.subarray(0, 512)));
    expect(block.subarray(512)).toEqual(xfsSuperblock().subarray(512));
  });

  it('keeps what a change before has noted of the first UUID', () => {
    const [block, first] = [xfsSuperblock(), Buffer.alloc(16, 8)];
    block.writeUInt32BE(0xf, 216);
    first.copy(block, 248);
    change().apply(0, block);
    expect(block.subarray(248, 264)).toEqual(first);
  });

  it('is in the records of its log that have the old one, and nowhere else', () => {
    const log = (1000 + 10) * wholeBlock;
    for (const position of [log, log + 15 * wholeBlock]) {
      const block = logBlock();
      change().apply(position, block);
      expect(block.subarray(512 + 304, 512 + 320)).toEqual(wanted);
      old.copy(block, 512 + 304);
      expect(block).toEqual(logBlock());
    }
    for (const position of [log - wholeBlock, log + 16 * wholeBlock]) {
      const block = logBlock();
      change().apply(position, block);
      expect(block).toEqual(logBlock());
    }
    const elsewhere = xfsSuperblock();
    change().apply(5 * wholeBlock, elsewhere);
    expect(elsewhere).toEqual(xfsSuperblock());
  });

  it('is found in the middle of many blocks', () => {
    const blocks = Buffer.concat([logBlock(), xfsSuperblock(), logBlock()]);
    change().apply(999 * wholeBlock, blocks);
    expect(blocks.subarray(0, wholeBlock)).toEqual(logBlock());
    expect(blocks.subarray(wholeBlock + 32, wholeBlock + 48)).toEqual(wanted);
  });

  it('is refused for what is something else', () => {
    const head = xfsSuperblock();
    head.writeUInt16BE(0xb4a4, 100);
    expect(() => uuidChange('xfs', head, 1, uuid)).toThrow(FormatError);
    expect(() => uuidChange('xfs', Buffer.alloc(wholeBlock), 1, uuid)).toThrow(FormatError);
    expect(() => uuidChange('xfs', xfsSuperblock(), 1, 'none')).toThrow(RangeError);
  });
});

describe('another UUID for a btrfs', () => {
  const first = 2 ** 16;
  const size = 2 ** 28;
  const head = Buffer.alloc(wholeBlock);

  function superblock(): Buffer {
    const block = Buffer.alloc(wholeBlock, 0x55);
    old.copy(block, 32);
    block.write('_BHRfS_M', 64, 'latin1');
    block.writeBigUInt64LE(0x141n, 188);
    block.writeUInt16LE(0, 196);
    return block;
  }

  it.each([first, 2 ** 26])('is in the superblock at %i, with its checksum', (position) => {
    const block = superblock();
    uuidChange('btrfs', head, size, uuid).apply(position, block);
    expect(block.subarray(32, 48)).toEqual(wanted);
    expect(block.subarray(571, 587)).toEqual(old);
    expect(block.readBigUInt64LE(188)).toBe(0x541n);
    expect(block.readUInt32LE(0)).toBe(sum(block.subarray(32)));
  });

  it('leaves everything else as it is', () => {
    for (const position of [0, first - wholeBlock, first + wholeBlock]) {
      const block = superblock();
      uuidChange('btrfs', head, size, uuid).apply(position, block);
      expect(block).toEqual(superblock());
    }
    const block = superblock();
    uuidChange('btrfs', head, 2 ** 26, uuid).apply(2 ** 26, block);
    expect(block).toEqual(superblock());
  });

  it('is refused for what is something else', () => {
    const change = uuidChange('btrfs', head, size, uuid);
    expect(() => change.apply(first, Buffer.alloc(wholeBlock))).toThrow(FormatError);
    const other = superblock();
    other.writeUInt16LE(1, 196);
    expect(() => change.apply(first, other)).toThrow(FormatError);
  });
});
