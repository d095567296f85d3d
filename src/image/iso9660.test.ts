import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from './format-error.ts';
import { readIsoNames } from './iso9660.ts';

const sector = 2048;

/** A record of a directory. */
function record(name: Buffer, block: number, length: number, flags: number, use: Buffer = Buffer.alloc(0)): Buffer {
  const padding = name.length % 2 === 0 ? 1 : 0;
  const bytes = Buffer.alloc(33 + name.length + padding);
  bytes.writeUInt32LE(block, 2);
  bytes.writeUInt32LE(length, 10);
  bytes[25] = flags;
  bytes[32] = name.length;
  name.copy(bytes, 33);
  const whole = Buffer.concat([bytes, use]);
  whole[0] = whole.length;
  return whole;
}

const field = (kind: string, content: Buffer) =>
  Buffer.concat([Buffer.from(kind), Buffer.from([4 + content.length, 1]), content]);
const sp = field('SP', Buffer.from([0xbe, 0xef, 0]));
const nm = (name: string, flags = 0) => field('NM', Buffer.concat([Buffer.from([flags]), Buffer.from(name)]));
const plain = (text: string) => Buffer.from(text, 'latin1');
const wide = (text: string) => Buffer.from(text, 'utf16le').swap16();

function descriptor(kind: number, root: Buffer, encoding = ''): Buffer {
  const bytes = Buffer.alloc(sector);
  bytes[0] = kind;
  bytes.write('CD001', 1, 'latin1');
  bytes.write('LABEL'.padEnd(32), 40, 'latin1');
  bytes.write(encoding, 88, 'latin1');
  root.copy(bytes, 156);
  return bytes;
}

/** An ISO of these sectors; those of descriptors and directories are given by their number. */
function iso(sectors: Record<number, Buffer>) {
  return (position: number, length: number) => {
    const bytes = Buffer.alloc(length);
    for (const [number, content] of Object.entries(sectors)) {
      const at = Number(number) * sector - position;
      if (at < length && at + content.length > 0) content.copy(bytes, Math.max(at, 0), Math.max(-at, 0));
    }
    return bytes;
  };
}

const dots = (self: number, use: Buffer = Buffer.alloc(0)) =>
  Buffer.concat([record(Buffer.from([0]), self, sector, 2, use), record(Buffer.from([1]), self, sector, 2)]);
const root = (block: number) => record(Buffer.from([0]), block, sector, 2);
const end = descriptor(255, Buffer.alloc(34));

describe('readIsoNames', () => {
  it('reads the names of Rock Ridge, also where they go on elsewhere, and only directories that are asked for', () => {
    const long = nm('-amd64');
    const ce = Buffer.alloc(24);
    ce.writeUInt32LE(30, 0);
    ce.writeUInt32LE(100, 8);
    ce.writeUInt32LE(long.length, 16);
    const names = readIsoNames(
      iso({
        16: descriptor(1, root(20)),
        17: end,
        20: Buffer.concat([
          dots(20, sp),
          record(plain('LIVE'), 21, sector, 2, nm('live')),
          record(plain('POOL'), 22, sector, 2, nm('pool')),
        ]),
        21: Buffer.concat([
          dots(21),
          record(plain('VMLINUZ.;1'), 40, 9, 0, Buffer.concat([nm('vmlinuz', 1), field('CE', ce)])),
        ]),
        22: Buffer.concat([dots(22), record(plain('X.;1'), 40, 9, 0, nm('x'))]),
        30: Buffer.concat([Buffer.alloc(100), long]),
      }),
      ['/live', '/casper', '/live/nothing'],
    );
    expect(names.volume).toBe('LABEL');
    expect([...names.paths].sort()).toEqual(['/live', '/live/vmlinuz-amd64', '/pool']);
    expect(names.place('/live/vmlinuz-amd64')).toEqual({ position: 40 * sector, length: 9 });
    expect([names.place('/live'), names.place('/live/none'), names.place('/pool/x')?.length]).toEqual([
      undefined,
      undefined,
      9,
    ]);
  });

  it('reads those of Joliet where there is no Rock Ridge', () => {
    const read = iso({
      16: descriptor(1, root(20)),
      17: descriptor(2, root(21), '%/E'),
      18: end,
      20: Buffer.concat([dots(20), record(plain('BOOTMGR.EFI;1'), 40, 9, 0)]),
      21: Buffer.concat([dots(21), record(wide('bootmgr.efi;1'), 40, 9, 0), record(wide('Sources'), 22, sector, 2)]),
    });
    expect([...readIsoNames(read, []).paths]).toEqual(['/bootmgr.efi', '/Sources']);
  });

  it('reads plain ones in small letters where there is neither', () => {
    const read = iso({
      16: descriptor(1, root(20)),
      17: end,
      20: Buffer.concat([dots(20), record(plain('ISOLINUX.BIN;1'), 40, 9, 0)]),
    });
    expect([...readIsoNames(read, []).paths]).toEqual(['/isolinux.bin']);
  });

  it('says no to what is none, and never loops or breaks', () => {
    expect(() => readIsoNames(() => Buffer.alloc(0), [])).toThrow(FormatError);
    expect(() => readIsoNames((_, length) => Buffer.alloc(length), [])).toThrow(FormatError);
    // A directory that holds itself.
    const loop = iso({
      16: descriptor(1, root(20)),
      17: end,
      20: Buffer.concat([dots(20), record(plain('A'), 20, sector, 2)]),
    });
    expect(readIsoNames(loop, ['/a/a/a']).paths.size).toBe(4);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (directory, more) => {
        const read = iso({
          16: descriptor(1, root(20)),
          17: end,
          20: Buffer.concat([dots(20, sp), directory]),
          21: Buffer.from(more),
        });
        try {
          readIsoNames(read, ['/live', '/boot/grub']);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });
});
