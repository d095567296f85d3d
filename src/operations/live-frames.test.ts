import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Digest } from '../foundation/brand.ts';
import { type Context, createContext } from './context.ts';
import { keepLiveFrames, liveFramesOf } from './live-frames.ts';
import { silentLog } from './log.ts';

const digest = `sha256:${'d'.repeat(64)}` as Digest;
const frames = [`${'a'.repeat(64)} 0`, `${'a'.repeat(64)} 81920`];
let data: string;
let context: Context;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'imprint-frames-'));
  context = createContext({ data, log: silentLog });
  const order = { id: 'o', image: 'web:3', digest, placed: 1, phase: 'running', session: 's' } as const;
  const machine = { name: 'web1', approved: true, state: 'installing', options: {}, created: 1 } as const;
  await (await context.database()).machines.insert({ ...machine, macs: [], order });
});
afterAll(async () => {
  await context[Symbol.asyncDispose]();
  await rm(data, { recursive: true });
});

describe('what live starts of a version read first', () => {
  it('is kept for the next one, of the boot that has the order only', async () => {
    const { paths } = context;
    expect(await liveFramesOf(paths, digest)).toEqual([]);
    await expect(keepLiveFrames(context, { order: 'o', session: 'other', frames })).rejects.toThrow();
    await keepLiveFrames(context, { order: 'o', session: 's', frames });
    expect(await liveFramesOf(paths, digest)).toEqual(frames);
    expect(await liveFramesOf(paths, `sha256:${'e'.repeat(64)}`)).toEqual([]);
  });

  it('is a hint: damaged, it is none', async () => {
    const { paths } = context;
    await writeFile(join(paths.liveFrames, `${'d'.repeat(64)}.json`), '["../../etc/passwd 0"]');
    expect(await liveFramesOf(paths, digest)).toEqual([]);
  });
});
