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
  directory = await mkdtemp(join(tmpdir(), 'imprint-live-failures-'));
  await makeSource(join(directory, 'source.raw'), 24, 60);
}, 5 * minute);
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Scene {
  failed?: string;
  losses?: string[];
  [more: string]: unknown;
}

async function scenes(...words: string[]): Promise<Record<string, Scene>> {
  const disk = join(directory, 'disk.raw');
  await rm(disk, { force: true });
  await writeFile(disk, '');
  await truncate(disk, 128 << 20);
  const began = performance.now();
  const said = await runInImager({
    ...{ directory, words: ['loglevel=4', ...words], memory: 1024, timeout: 15 * minute },
    ...{ sources: [join(directory, 'source.raw')], disks: [disk] },
    ...{ program: 'tests/lab/live/fail-program.ts', modules: ['dm_snapshot'] },
  });
  const found = /SCENES (\{.*\})/.exec(said)?.[1];
  expect(found, said.slice(-5000)).toBeDefined();
  const all = JSON.parse(found ?? '') as Record<string, Scene>;
  for (const [name, { losses, ...scene }] of Object.entries(all))
    record({
      ...{ row: `live-failures ${words.join(' ')}`, name, seconds: () => (performance.now() - began) / 1000 },
      outcome: `${losses?.length} lost; ${JSON.stringify(scene)}`.slice(0, 500),
    });
  return all;
}

test(
  'a system whose disk fails while it moves runs on as far as it can, loses nothing that was synced, and moves when the disk is well again',
  async () => {
    const all = await scenes();
    expect(all.before).toMatchObject({ prepared: 'io-failed', table: 'process-failed', phase: 'done', losses: [] });
    expect(all.memory).toMatchObject({ keeping: 'io-failed', phase: 'done', losses: [] });
    expect(all['copy, for a moment']).toMatchObject({ tries: 2, phase: 'done', losses: [] });
    expect(all['copy, for a moment']?.words).toContain('The system runs on as it is, and it is tried again');
    expect(all.copy).toMatchObject({ code: 'io-failed', tries: 4, phase: 'copying', end: 'done', losses: [] });
    expect(all.merge).toMatchObject({ phase: 'done', losses: [] });
    expect(all.merge?.words).toContain('the kernel cannot bring what was changed to its place');
    expect(all.changes).toMatchObject({ code: 'live-changes-lost', revived: true, phase: 'done', losses: [] });
  },
  17 * minute,
);

test(
  'the same loses content where it believes of what was copied what a disk refused',
  async () => {
    const all = await scenes('live.sabotage=believed', 'live.scene=copy,_for_a_moment');
    expect(all['copy, for a moment']?.losses?.length).toBeGreaterThan(0);
  },
  17 * minute,
);
