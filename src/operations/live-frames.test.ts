import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Context } from './context.ts';
import { dataPaths } from './data-paths.ts';
import { keepLiveFrames, liveFramesOf } from './live-frames.ts';

const digest = `sha256:${'d'.repeat(64)}`;
const frames = [`${'a'.repeat(64)} 0`, `${'a'.repeat(64)} 81920`];
let data: string;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'imprint-frames-'));
});
afterAll(() => rm(data, { recursive: true }));

function context(): Context {
  const machine = { name: 'web1', order: { id: 'o', session: 's', phase: 'running', digest } };
  const machines = { all: async () => [machine] };
  return { paths: dataPaths(data), database: async () => ({ machines }) } as unknown as Context;
}

describe('what live starts of a version read first', () => {
  it('is kept for the next one, of the boot that has the order only', async () => {
    const { paths } = context();
    expect(await liveFramesOf(paths, digest)).toEqual([]);
    await expect(keepLiveFrames(context(), { order: 'o', session: 'other', frames })).rejects.toThrow();
    await keepLiveFrames(context(), { order: 'o', session: 's', frames });
    expect(await liveFramesOf(paths, digest)).toEqual(frames);
    expect(await liveFramesOf(paths, `sha256:${'e'.repeat(64)}`)).toEqual([]);
  });

  it('is a hint: damaged, it is none', async () => {
    const { paths } = context();
    await writeFile(join(paths.liveFrames, `${'d'.repeat(64)}.json`), '["../../etc/passwd 0"]');
    expect(await liveFramesOf(paths, digest)).toEqual([]);
  });
});
