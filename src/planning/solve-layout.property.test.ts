import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Layout, layoutSchema } from '../contract/layout.ts';
import type { DiskFacts, PartitionFacts } from '../contract/machine.ts';
import { isExtended } from '../machine/partition-kind.ts';
import { noNeeds } from './layout-needs.ts';
import type { SolvedDisk, SolvedPartition } from './layout-solution.ts';
import { shareSpace } from './share-space.ts';
import { solveLayout } from './solve-layout.ts';

const M = 1024 ** 2;

/** A disk with partitions in random places, some of them logical; starts are sectors, not always on a boundary of 1 MiB. */
const anyDisk: fc.Arbitrary<DiskFacts> = fc
  .record({
    gib: fc.integer({ min: 4, max: 400 }),
    table: fc.constantFrom('gpt' as const, 'mbr' as const, undefined),
    sectorSize: fc.constantFrom(512, 4096),
    cuts: fc.uniqueArray(fc.integer({ min: 1, max: 99_999 }), { maxLength: 12 }),
    fill: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    contents: fc.array(
      fc.constantFrom('ext4', 'xfs', 'ntfs', 'crypto_LUKS', 'LVM2_member', 'linux_raid_member', 'vfat', undefined),
      { minLength: 12, maxLength: 12 },
    ),
    label: fc.nat(11),
    extended: fc.boolean(),
  })
  .map(({ gib, table, sectorSize, cuts, fill, contents, label, extended }) => {
    const size = gib * 1024 * M;
    const base = {
      ...{ path: '/dev/sda', size, sectorSize, removable: false, readOnly: false, inUse: [], content: 'some' },
    };
    if (table === undefined) return { ...base, content: 'empty', partitions: [] };
    const usable = size - 4 * M;
    const places = [0, ...cuts.sort((left, right) => left - right), 100_000].map(
      (cut) => 2 * M + Math.floor((usable * cut) / 100_000 / sectorSize) * sectorSize,
    );
    const spans = places.slice(0, -1).flatMap((start, index) => {
      const end = places[index + 1] ?? start;
      return fill[index] && end - start > 8 * M ? [{ start: start + M, size: end - start - M, index }] : [];
    });
    const partition = (number: number, span: (typeof spans)[number]): PartitionFacts => {
      const type = contents[span.index];
      return {
        ...{ number, path: `/dev/sda${number}`, start: span.start, size: span.size },
        type: table === 'gpt' ? '0FC63DAF-8483-4772-8E79-3D69D8477DE4' : '83',
        ...(type === undefined ? {} : { content: { type, ...(span.index === label ? { label: 'data' } : {}) } }),
      };
    };
    if (table === 'gpt' || !extended || spans.length < 2) {
      const some = table === 'mbr' ? spans.slice(0, 4) : spans;
      return { ...base, table: { type: table }, partitions: some.map((span, index) => partition(index + 1, span)) };
    }
    // The first is primary, all others lie in an extended partition.
    const [first, ...logical] = spans;
    if (first === undefined || logical[0] === undefined) return { ...base, partitions: [] };
    const container = {
      number: 2,
      path: '/dev/sda2',
      start: logical[0].start - M,
      size: size - logical[0].start,
      type: '05',
    };
    const chained = logical.map((span, index) => partition(index + 5, span));
    return { ...base, table: { type: table }, partitions: [partition(1, first), container, ...chained] };
  });

const anyLayout: fc.Arbitrary<Layout> = fc
  .record({
    table: fc.constantFrom('auto', 'auto', 'gpt', 'mbr'),
    erase: fc.constantFrom(['nothing'], ['linux'], ['linux', 'lvm', 'raid', 'luks'], ['all'], ['windows', 'linux']),
    wishes: fc.array(
      fc.record(
        { min: fc.integer({ min: 0, max: 20_000 }), extra: fc.integer({ min: 0, max: 50_000 }), weight: fc.nat(5) },
        { requiredKeys: ['min'] },
      ),
      { minLength: 1, maxLength: 6 },
    ),
    keep: fc.boolean(),
  })
  .map(({ table, erase, wishes, keep }) =>
    layoutSchema.parse({
      disks: [
        {
          ...{ name: 'd', table, erase },
          partitions: [
            { name: 'bios', role: 'bios-boot' },
            { name: 'esp', role: 'esp' },
            { name: 'boot', role: 'boot' },
            ...wishes.map(({ min, extra, weight }, index) => ({
              ...(index === 0 ? { name: 'root', role: 'root' } : { name: `p${index}`, role: 'data' }),
              ...(min === 0 ? {} : { min: min * M }),
              ...(extra === undefined ? {} : { max: (min + extra + 100) * M }),
              ...(weight === undefined ? {} : { weight }),
            })),
            ...(keep ? [{ name: 'data', role: 'data', keep: 'true', fileSystem: { type: 'xfs', label: 'data' } }] : []),
          ],
        },
      ],
    }),
  );

const solveOn = (layout: Layout, disk: DiskFacts) =>
  solveLayout({ layout, disks: [disk], firmware: 'uefi', needs: noNeeds, machine: 'm', reference: 'r' });

const end = ({ start, size }: SolvedPartition) => start + size;

function checkDisk({ facts, table, partitions }: SolvedDisk): void {
  const { sectorSize } = facts;
  const held = partitions.filter(({ extended }) => !extended);
  const container = partitions.find(({ extended }) => extended);
  for (const [index, partition] of held.entries()) {
    expect(Number.isInteger(partition.start) && Number.isInteger(partition.size) && partition.size > 0).toBe(true);
    const next = held[index + 1];
    if (next !== undefined) expect(end(partition)).toBeLessThanOrEqual(next.start);
    if (partition.kept !== undefined) {
      expect([partition.start * sectorSize, partition.size * sectorSize]).toEqual([
        partition.kept.start,
        partition.kept.size,
      ]);
      continue;
    }
    expect((partition.start * sectorSize) % M).toBe(0);
    expect(partition.start * sectorSize).toBeGreaterThanOrEqual(M);
    expect(end(partition) * sectorSize).toBeLessThanOrEqual(facts.size - (table === 'gpt' ? M : 0));
    if (table === 'mbr') expect(end(partition)).toBeLessThanOrEqual(2 ** 32);
  }
  const numbers = partitions.map(({ number }) => number);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(Math.min(...numbers)).toBeGreaterThan(0);
  if (table === 'gpt') return;
  expect(partitions.filter(({ number }) => number <= 4).length).toBeLessThanOrEqual(4);
  const logical = partitions.filter(({ number }) => number > 4);
  if (container === undefined) {
    expect(logical).toEqual([]);
    return;
  }
  for (const partition of held) {
    const inside = partition.start >= container.start && end(partition) <= end(container);
    expect(inside).toBe(partition.number > 4);
    // The link of each lies in front of it, and in nobody else.
    if (inside && partition.kept === undefined) {
      const link = partition.start - M / sectorSize;
      expect(link).toBeGreaterThanOrEqual(container.start);
      for (const other of logical)
        if (other !== partition) expect(link >= end(other) || other.start > partition.start).toBe(true);
    }
  }
}

it('never overlaps, never leaves the disk, never moves what stays, holds every minimum, and tells of all that goes', () => {
  let solvedOnes = 0;
  fc.assert(
    fc.property(anyLayout, anyDisk, (layout, disk) => {
      const answer = solveOn(layout, disk);
      if (answer.kind === 'refused') {
        expect(answer.error.exitStatus).toBe(4);
        return;
      }
      solvedOnes += 1;
      const { disks, lost } = answer.solution;
      for (const each of disks) checkDisk(each);
      const made = disks.flatMap(({ partitions }) => partitions).filter(({ kept }) => kept === undefined);
      for (const { entry, size } of made) {
        if (entry?.min !== undefined) expect(size * disk.sectorSize).toBeGreaterThanOrEqual(entry.min);
        if (entry?.max !== undefined) expect(size * disk.sectorSize).toBeLessThanOrEqual(entry.max);
      }
      const kept = disks.flatMap(({ partitions }) =>
        partitions.flatMap((each) => (each.kept === undefined ? [] : [each.kept.path])),
      );
      const before = (disk.partitions ?? []).filter((each) => !isExtended(each)).map(({ path }) => path);
      expect([...kept.filter((path) => before.includes(path)), ...lost.map(({ path }) => path)].sort()).toEqual(
        [...before].sort(),
      );
    }),
    { numRuns: 800 },
  );
  // The generator must not make impossible questions only.
  expect(solvedOnes).toBeGreaterThan(100);
});

it('shares space by weight, within bounds, and wastes less than a unit each where somebody could take it', () => {
  const wish = fc
    .record({
      min: fc.nat(500),
      extra: fc.oneof(fc.nat(500), fc.constant(Number.POSITIVE_INFINITY)),
      weight: fc.nat(9),
    })
    .map(({ min, extra, weight }) => ({ min, max: min + extra, weight }));
  fc.assert(
    fc.property(fc.nat(5000), fc.array(wish, { maxLength: 8 }), (total, wishes) => {
      const sizes = shareSpace(total, wishes, 1);
      const least = wishes.reduce((sum, { min }) => sum + min, 0);
      if (sizes === undefined) {
        expect(least).toBeGreaterThan(total);
        return;
      }
      const sum = sizes.reduce((left, right) => left + right, 0);
      expect(sum).toBeLessThanOrEqual(total);
      sizes.forEach((size, index) => {
        expect(size).toBeGreaterThanOrEqual(wishes[index]?.min ?? 0);
        expect(size).toBeLessThanOrEqual(wishes[index]?.max ?? 0);
      });
      const hungry = wishes.some(({ max, weight }, index) => weight > 0 && (sizes[index] ?? 0) < max);
      if (hungry) expect(total - sum).toBeLessThanOrEqual(wishes.length);
    }),
    { numRuns: 1000 },
  );
});
