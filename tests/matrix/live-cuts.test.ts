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
  directory = await mkdtemp(join(tmpdir(), 'imprint-live-cuts-'));
  await makeSource(join(directory, 'source.raw'), 24, 60);
}, 5 * minute);
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Row {
  cuts: number;
  finished: number;
  lost: number;
  seconds: number;
}

async function cuts(words: readonly string[], timeout: number): Promise<[string, Row][]> {
  const said = await runInImager({
    ...{
      directory,
      words: ['loglevel=4', ...words],
      sources: [join(directory, 'source.raw')],
      disks: [],
      memory: 2048,
      timeout,
    },
    ...{ program: 'tests/lab/live/cut-program.ts', modules: ['dm_snapshot', 'dm_log_writes'] },
  });
  const table = /CUTS (\{.*\})/.exec(said)?.[1];
  expect(table, said.slice(-5000)).toBeDefined();
  const rows = Object.entries(JSON.parse(table ?? '') as Record<string, Row>).sort();
  for (const line of said.split('\n').filter((each) => each.includes('LOSS'))) console.log(line.slice(0, 600));
  for (const [phase, { cuts, finished, lost, seconds }] of rows)
    record({
      ...{ row: `live-cuts ${words.join(' ')}`, name: phase, seconds: () => seconds },
      outcome: `${cuts} cuts, ${lost} lost something; ${finished} went on to the end`,
    });
  return rows;
}

test(
  'a live system loses nothing by cuts in any phase, on a disk that loses what was not flushed',
  async () => {
    const rows = await cuts(['live.seed=1'], 30 * minute);
    expect(rows.filter(([, { lost }]) => lost > 0)).toEqual([]);
    expect(rows.map(([phase]) => phase[0]).join('')).toBe('0123456');
    const sum = rows.reduce((total, [, { cuts }]) => total + cuts, 0);
    expect(sum).toBeGreaterThanOrEqual(200);
  },
  32 * minute,
);

test(
  'the same cuts find that what was copied was not flushed before it was written down',
  async () => {
    const words = ['live.seed=2', 'live.sabotage=unflushed', 'live.chain=none', 'live.cuts=0,8,0'];
    const rows = await cuts(words, 15 * minute);
    expect(rows.some(([, { lost }]) => lost > 0)).toBe(true);
  },
  16 * minute,
);

/** When the power of a machine is cut: so many milliseconds after it said this. */
const moments: readonly [string, number][] = [
  ['BEGUN fresh', 0],
  ['copied 9728 of', 0],
  ['copied 30208 of', 20],
  ['copied 49152 of', 0],
  ['phase copied', 0],
  ['phase copied', 1500],
  ['phase merging', 0],
  ['phase merging', 200],
  ['phase merging', 500],
  ['phase done', 0],
  ['phase done', 1500],
];

test(
  'a machine whose power is cut begins where it was, from its disk, and has everything',
  async () => {
    const disk = join(directory, 'disk.raw');
    await writeFile(disk, '');
    await truncate(disk, 64 << 20);
    let words = ['loglevel=4', 'live.files=0', 'live.churn=0'];
    const seen: string[] = [];
    for (const [marker, delay] of [...moments, ['FINISHED', 1e9] as const]) {
      const began = performance.now();
      let heardAt: number | undefined;
      const said = await runInImager({
        ...{ directory, words, sources: [join(directory, 'source.raw')], disks: [disk], timeout: 4 * minute },
        ...{ program: 'tests/lab/live/life-program.ts', modules: ['dm_snapshot'] },
        heard: (text) => {
          // A start behind the moment is cut all the same, a while after it has looked.
          const late = /WHOLE/.test(text) && /BEGUN (copied|merging|done)/.test(text) && / ACK /.test(text);
          if (text.includes(marker) || (late && delay < 1e9 && /phase|BEGUN done/.test(text)))
            heardAt ??= performance.now();
          return heardAt !== undefined && performance.now() - heardAt >= delay;
        },
      });
      const begun = /BEGUN (\S+) \d+/.exec(said)?.[0] ?? 'nothing';
      record({
        ...{ row: 'live-cuts, QEMU killed', name: `${begun}, cut at “${marker}” and ${delay} ms` },
        seconds: () => (performance.now() - began) / 1000,
        outcome: / WHOLE/.test(said) ? 'nothing lost' : (/LOSS .*/.exec(said)?.[0] ?? 'not looked'),
      });
      expect(said, said.slice(-3000)).not.toMatch(/LOSS|PROGRAM-FAILED/);
      seen.push(begun);
      const last = [...said.matchAll(/ ACK (\d+) (\d+)\n/g)].at(-1);
      if (last !== undefined) words = ['loglevel=4', `live.files=${last[1]}`, `live.churn=${last[2]}`];
      if (marker === 'FINISHED') expect(said).toContain('FINISHED');
    }
    expect(seen.join()).toContain('merging');
    expect(seen.at(-1)).toContain('done');
  },
  45 * minute,
);
