import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runInImager } from '../lab/live/imager-program.ts';
import { makeSource } from '../lab/live/source-disk.ts';
import { record } from './table.ts';

const minute = 60_000;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'imprint-live-mechanisms-'));
  await makeSource(join(directory, 'source.raw'), 128, 400);
  await writeFile(join(directory, 'disk.raw'), '');
  await truncate(join(directory, 'disk.raw'), 257 << 20);
}, 5 * minute);
afterAll(() => rm(directory, { recursive: true, force: true }));

/** What was measured of a way to move; times in seconds since the order. */
interface Measured {
  readonly name: string;
  readonly failed?: string;
  /** When the file system had grown first, when the source was let go of, and when the root lay on the disk alone, at its full size. */
  readonly grown: number;
  readonly released: number;
  readonly alone: number;
  /** The longest that somebody waited for a sync, milliseconds: before the order, and in all. */
  readonly quiet: number;
  readonly longest: number;
  /** Bytes written to the disk for each byte of the source. */
  readonly written: number;
  readonly losses: readonly string[];
  readonly resumesAt: number;
}

test(
  'the ways to move a root onto a disk, measured on the same source with the same work',
  async () => {
    const said = await runInImager({
      ...{ directory, words: ['loglevel=4'], memory: 1024, timeout: 15 * minute },
      sources: [join(directory, 'source.raw')],
      disks: [join(directory, 'disk.raw')],
      program: 'tests/lab/live/mechanism-program.ts',
      modules: ['dm_snapshot', 'dm_mirror', 'raid1'],
    });
    const all = [...said.matchAll(/MECHANISM (\{.*\})/g)].map((match) => JSON.parse(match[1] ?? '') as Measured);
    for (const { name, grown, released, alone, quiet, longest, written, resumesAt } of all)
      record({
        ...{ row: 'live-mechanisms', name, seconds: () => alone },
        outcome: `grown ${grown} s, released ${released} s, alone ${alone} s; longest sync ${longest} ms (before: ${quiet}); ${written} bytes for one; a cut at half goes on at ${resumesAt}`,
      });
    const clone = /CLONE (.*)/.exec(said)?.[1] ?? '';
    record({ row: 'live-mechanisms', name: 'dm-clone', seconds: () => 0, outcome: clone });
    expect(all.map(({ name, failed }) => failed ?? name)).toEqual([
      'snapshot and snapshot-merge',
      'dm-mirror',
      'md raid1',
    ]);
    expect(all.flatMap(({ losses }) => losses)).toEqual([]);
    const [ours, mirror, array] = all;
    // What ours was chosen for.
    expect(ours?.resumesAt).toBeGreaterThan(0.4);
    expect(mirror?.resumesAt).toBeLessThan(0.2);
    expect(array?.resumesAt).toBeLessThan(0.2);
    expect(ours?.grown).toBeLessThan(ours?.released ?? 0);
    expect(array?.grown).toBeGreaterThanOrEqual(array?.released ?? 0);
    // Nothing that can be written to lies above a source that cannot be.
    const readOnly = /READ-ONLY (.*)/.exec(said)?.[1] ?? '';
    record({ row: 'live-mechanisms', name: 'source that cannot be written to', seconds: () => 0, outcome: readOnly });
    expect(readOnly).toMatch(/^\{"mirror":"[^"]+","array":"[^"]+"\}/);
    expect(readOnly).not.toContain('a write is kept');
    expect(clone).toMatch(/^this kernel has (no )?dm-clone/);
  },
  16 * minute,
);
