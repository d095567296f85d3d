import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../image/crc32.ts';
import type { ReadBytes } from '../image/fat-reader.ts';
import { bootAreas } from './boot-areas.ts';
import { mendedTable, readDiskStructure, tableHash } from './disk-structure.ts';

const size = 1024 * 512;
const reader =
  (disk: Buffer): ReadBytes =>
  (offset, length) =>
    disk.subarray(offset, offset + length);
const look = (disk: Buffer, sector = 512) => readDiskStructure(reader(disk), disk.length, sector);

function row(disk: Buffer, at: number, fields: { type: number; start: number; size: number; active?: boolean }): void {
  disk[at] = fields.active ? 0x80 : 0;
  disk[at + 4] = fields.type;
  disk.writeUInt32LE(fields.start, at + 8);
  disk.writeUInt32LE(fields.size, at + 12);
}

/** One primary partition, and an extended one with two logical ones. */
function mbrDisk(): Buffer {
  const disk = Buffer.alloc(size);
  disk.writeUInt32LE(0x1234abcd, 440);
  row(disk, 446, { type: 7, start: 64, size: 100, active: true });
  row(disk, 462, { type: 5, start: 200, size: 800 });
  row(disk, 200 * 512 + 446, { type: 0x83, start: 10, size: 90 });
  row(disk, 200 * 512 + 462, { type: 5, start: 200, size: 300 });
  row(disk, 400 * 512 + 446, { type: 0x82, start: 10, size: 200 });
  for (const sector of [0, 200, 400]) disk.writeUInt16LE(0xaa55, sector * 512 + 510);
  return disk;
}

function gptDisk(sector = 512): Buffer {
  const disk = Buffer.alloc(size);
  row(disk, 446, { type: 0xee, start: 1, size: size / sector - 1 });
  disk.writeUInt16LE(0xaa55, 510);
  const rows = Buffer.alloc(128 * 128);
  Buffer.from('4861682149646f6e744e656564454649', 'hex').copy(rows, 0);
  rows.fill(0x11, 16, 32);
  rows.writeBigUInt64LE(40n, 32);
  rows.writeBigUInt64LE(59n, 40);
  rows.write('BIOS boot', 56, 'utf16le');
  const last = size / sector - 1;
  const length = rows.length / sector;
  for (const [at, other, entries] of [
    [1, last, 2],
    [last, 1, last - length],
  ] as const) {
    const header = Buffer.alloc(sector);
    header.write('EFI PART', 'latin1');
    header.writeUInt32LE(92, 12);
    header.writeBigUInt64LE(BigInt(at), 24);
    header.writeBigUInt64LE(BigInt(other), 32);
    header.writeBigUInt64LE(BigInt(entries), 72);
    header.writeUInt32LE(128, 80);
    header.writeUInt32LE(128, 84);
    header.writeUInt32LE(crc32(rows), 88);
    header.writeUInt32LE(crc32(header.subarray(0, 92)), 16);
    header.copy(disk, at * sector);
    rows.copy(disk, entries * sector);
  }
  return disk;
}

describe('an MBR', () => {
  it('is read with its logical partitions, and where their records lie', () => {
    const found = look(mbrDisk());
    expect(found).toMatchObject({ label: 'mbr', id: '1234abcd', problems: [] });
    expect(
      found.partitions.map(({ number, start, size: bytes, type }) => [number, start / 512, bytes / 512, type]),
    ).toEqual([
      [1, 64, 100, '07'],
      [2, 200, 800, '05'],
      [5, 210, 90, '83'],
      [6, 410, 200, '82'],
    ]);
    expect(found.partitions[0]).toMatchObject({ active: true, uuid: '1234abcd-01' });
    expect(found.ranges.map(({ name, offset }) => [name, offset])).toEqual([
      ['logical-5', 200 * 512],
      ['logical-6', 400 * 512],
      ['record', 440],
    ]);
  });

  it('has a gap up to the first partition, which comes before the code', () => {
    const areas = bootAreas(look(mbrDisk()));
    expect(areas.map(({ part }) => part)).toEqual(['gap', 'table', 'table', 'table', 'code']);
    expect(areas[0]).toMatchObject({ offset: 512, length: 63 * 512 });
  });

  it('says where a chain of logical partitions is broken, and follows none for ever', () => {
    const cut = mbrDisk();
    cut.fill(0, 400 * 512, 401 * 512);
    expect(look(cut).problems.join()).toMatch(/record 2, in sector 400, is damaged/);
    const loop = mbrDisk();
    row(loop, 400 * 512 + 462, { type: 5, start: 0, size: 100 });
    expect(look(loop).problems.join()).toMatch(/has no end/);
  });
});

describe.each([512, 4096])('a GPT with sectors of %i bytes', (sector) => {
  const primary = 1 * sector;
  const backup = size - sector;

  it('is read, with both copies', () => {
    const found = look(gptDisk(sector), sector);
    expect(found).toMatchObject({ label: 'gpt', problems: [] });
    expect(found.partitions).toEqual([
      {
        ...{ number: 1, start: 40 * sector, size: 20 * sector, type: '21686148-6449-6e6f-744e-656564454649' },
        ...{ uuid: '11111111-1111-1111-1111-111111111111', name: 'BIOS boot' },
      },
    ]);
    expect(found.ranges.at(-1)?.name).toBe('record');
  });

  it.each([
    ['its primary', primary, /its backup is whole/],
    ['its backup', backup, /the backup of the partition table is gone/],
  ])('is the same without %s, which is said', (_, at, problem) => {
    const whole = look(gptDisk(sector), sector);
    const disk = gptDisk(sector);
    disk.fill(0, at, at + sector);
    const found = look(disk, sector);
    expect(tableHash(found)).toBe(tableHash(whole));
    expect(found.ranges).toEqual(whole.ranges);
    expect(found.problems.join()).toMatch(problem);
  });

  it.each([
    ['its primary', primary, 2 * sector],
    ['its backup', backup, backup - 128 * 128],
  ])('gets %s back byte for byte from the other', (_, header, rows) => {
    const disk = gptDisk(sector);
    disk.fill(0, header, header + sector);
    disk.fill(0, rows, rows + 128 * 128);
    for (const { pieces } of mendedTable(reader(disk), look(disk, sector)))
      for (const { offset, bytes } of pieces) bytes.copy(disk, offset);
    expect(disk.equals(gptDisk(sector))).toBe(true);
  });

  it('gets its guard back, and keeps the signature and the code before it', () => {
    const disk = gptDisk(sector);
    disk.fill(7, 0, 446);
    disk.fill(0, 446, 512);
    expect(look(disk, sector).problems.join()).toMatch(/no mark/);
    const [mend] = mendedTable(reader(disk), look(disk, sector));
    for (const { offset, bytes } of mend?.pieces ?? []) bytes.copy(disk, offset);
    expect(look(disk, sector).problems).toEqual([]);
    expect(disk.subarray(0, 446).every((byte) => byte === 7)).toBe(true);
    expect(mendedTable(reader(disk), look(disk, sector))).toEqual([]);
  });

  it('has what is left of it where the disk was cut off', () => {
    const found = look(gptDisk(sector).subarray(0, size - 40_960), sector);
    expect(found.ranges.map(({ name }) => name)).toEqual(['primary-rows', 'primary', 'record']);
    expect(found.problems).toEqual(['the backup of the partition table is gone']);
  });

  it('is none where both are damaged', () => {
    const disk = gptDisk(sector);
    for (const at of [primary + 20, backup + 57]) disk[at] = 0xff;
    const found = look(disk, sector);
    expect(found.label).toBe('none');
    expect(found.problems.join()).toMatch(/both copies.*checksum/);
  });
});

describe('whatever lies on a disk', () => {
  it('is read without failing, and no range lies outside', () => {
    const flips = fc.array(fc.tuple(fc.integer({ min: 0, max: size - 1 }), fc.integer({ min: 0, max: 255 })), {
      maxLength: 30,
    });
    const near = fc.array(
      fc.tuple(
        fc.constantFrom(...[440, 446, 454, 458, 510, 512, 524, 584, 592, 596, 600, size - 512, 200 * 512 + 454]),
        fc.integer({ min: 0, max: 255 }),
      ),
      { maxLength: 10 },
    );
    fc.assert(
      fc.property(
        fc.constantFrom(mbrDisk, gptDisk),
        fc.constantFrom(0, 512, 40_000),
        flips,
        near,
        (make, lost, anywhere, telling) => {
          const disk = make().subarray(0, size - lost);
          for (const [at, value] of [...anywhere, ...telling]) disk[at] = value;
          const found = look(disk);
          for (const { offset, length } of found.ranges) {
            expect(offset).toBeGreaterThanOrEqual(0);
            expect(length).toBeGreaterThan(0);
            expect(offset + length).toBeLessThanOrEqual(disk.length);
          }
          for (const { offset, length } of bootAreas(found))
            expect(offset >= 0 && length > 0 && offset + length <= disk.length).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('has no table where there is a file system without one, or nothing', () => {
    expect(look(Buffer.alloc(size)).label).toBe('none');
    const fat = Buffer.alloc(size, 0x20);
    fat.writeUInt16LE(0xaa55, 510);
    expect(look(fat).label).toBe('none');
  });
});
