import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Layout, layoutSchema } from '../../src/contract/layout.ts';
import type { DiskFacts } from '../../src/contract/machine.ts';
import { parsePartitions } from '../../src/machine/partition-facts.ts';
import { isExtended } from '../../src/machine/partition-kind.ts';
import { renderSfdisk } from '../../src/machine/partition-table.ts';
import { freshIdentity } from '../../src/operations/install/fresh-identity.ts';
import { planDisk } from '../../src/planning/install-layout.ts';
import { noNeeds } from '../../src/planning/layout-needs.ts';
import { solveLayout } from '../../src/planning/solve-layout.ts';
import { editPartitionTable } from '../../src/system/partition.ts';
import { systemProcesses } from '../../src/system/run.ts';

const { run } = systemProcesses;
const M = 1024 ** 2;

/** Partitions of a disk of 16 GiB, in MiB, some of which may go; on an MBR from the second on they are logical. */
const anyTable = fc.record({
  mbr: fc.boolean(),
  parts: fc.array(
    fc.record({ gap: fc.integer({ min: 1, max: 900 }), size: fc.integer({ min: 8, max: 2500 }), goes: fc.boolean() }),
    {
      maxLength: 6,
    },
  ),
});

function script({ mbr, parts }: { mbr: boolean; parts: { gap: number; size: number }[] }): {
  text: string;
  starts: number[];
} {
  let at = 1;
  const starts = parts.map(({ gap, size }) => {
    const start = at + gap;
    at = start + size + 1;
    return start;
  });
  const line = (number: number, start: number, size: number, type: string) =>
    `/dev/x${number} : start=${start * 2048}, size=${size * 2048}, type=${type}`;
  const linux = mbr ? '83' : '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
  const lines = parts.map(({ size }, index) =>
    line(mbr && index > 0 ? index + 4 : index + 1, starts[index] ?? 1, size, linux),
  );
  const second = starts[1];
  if (mbr && second !== undefined) lines.splice(1, 0, line(2, second - 1, 16 * 1024 - second + 1, '5'));
  return { text: [`label: ${mbr ? 'dos' : 'gpt'}`, ...lines, ''].join('\n'), starts };
}

function layoutFor(goes: readonly number[], wishes: readonly number[]): Layout {
  return layoutSchema.parse({
    disks: [
      {
        name: 'd',
        erase: goes.length === 0 ? ['nothing'] : goes.map((number) => `number=${number}`),
        partitions: [
          ...['bios-boot', 'esp', 'boot', 'root'].map((role) => ({
            name: role,
            role,
            ...(role === 'root' ? { min: 300 * M } : { size: 34 * M }),
          })),
          ...wishes.map((size, index) => ({ name: `p${index}`, min: size * M, fileSystem: { type: 'ext4' } })),
        ],
      },
    ],
  });
}

/** What sfdisk reads of the file, as facts of a disk. */
async function factsOf(file: string): Promise<DiskFacts> {
  const table = await run('sfdisk', ['--json', file], { accept: [0, 1] });
  return {
    ...{
      path: '/dev/sda',
      size: 16 * 1024 * M,
      sectorSize: 512,
      removable: false,
      readOnly: false,
      content: 'x',
      inUse: [],
    },
    ...parsePartitions('/dev/sda', 512, {
      signatures: { '/dev/sda': '{"signatures":[]}' },
      heads: {},
      ...(table.status === 0 ? { table: table.stdout } : {}),
    }),
  };
}

const placesOf = (facts: DiskFacts) =>
  (facts.partitions ?? []).map(({ number, start, size, uuid }) => ({ number, start, size, uuid }));

describe('a partition table that is changed', () => {
  it('is as it was solved, by sfdisk’s own reading, and what stays is as it was', { timeout: 150_000 }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'imprint-table-'));
    const file = join(directory, 'disk');
    let changed = 0;
    try {
      await fc.assert(
        fc.asyncProperty(
          anyTable,
          fc.array(fc.integer({ min: 16, max: 1500 }), { maxLength: 3 }),
          async (given, wishes) => {
            {
              await using handle = await open(file, 'w');
              await handle.truncate(16 * 1024 * M);
            }
            await run('sfdisk', ['--quiet', file], { input: script(given).text });
            const facts = await factsOf(file);
            const data = (facts.partitions ?? []).filter((each) => !isExtended(each));
            const goes = data.filter((_, index) => given.parts[index]?.goes).map(({ number }) => number);
            const layout = layoutFor(goes, wishes);
            const answer = solveLayout({
              layout,
              disks: [facts],
              firmware: 'uefi',
              needs: noNeeds,
              machine: 'm',
              reference: 'r',
            });
            if (answer.kind === 'refused') return;
            const [disk] = answer.solution.disks;
            if (disk === undefined) throw new Error('no disk');
            const { table } = planDisk(answer.solution, disk, { layout: 'own' }, freshIdentity());
            const stays = disk.partitions.flatMap(({ kept }) => (kept === undefined ? [] : [kept]));
            const remove = (facts.partitions ?? []).filter((each) => !stays.includes(each)).map(({ number }) => number);
            if (disk.tableKept) await editPartitionTable(systemProcesses, file, { table, remove });
            else await run('sfdisk', ['--quiet', file], { input: renderSfdisk(table) });
            if (disk.tableKept) changed += 1;
            const after = await factsOf(file);
            const expected = [...disk.partitions]
              .sort((left, right) => left.start - right.start || left.number - right.number)
              .map(({ number, start, size }) => ({ number, start: start * 512, size: size * 512 }));
            expect(placesOf(after).map(({ uuid: _uuid, ...place }) => place)).toEqual(expected);
            for (const kept of stays) {
              const same = (after.partitions ?? []).find(({ start }) => start === kept.start);
              const { number: _1, path: _2, ...before } = kept;
              const { number: _3, path: _4, ...now } = same ?? kept;
              expect(same === undefined ? undefined : now).toEqual(before);
            }
            expect(after.table).toEqual(disk.tableKept ? facts.table : after.table);
          },
        ),
        { numRuns: 60 },
      );
      expect(changed).toBeGreaterThan(10);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
