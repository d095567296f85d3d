import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeProcesses } from '../../../tests/fake-processes.ts';
import type { Digest } from '../../foundation/brand.ts';
import { systemClock } from '../../foundation/clock.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Processes } from '../../system/run.ts';
import { LiveSource, type LiveSourceWish, serveLiveSource } from './live-source.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'imprint-live-source-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** The process that gives the kernel its blocks, where it says these lines and waits. */
function serving(lines: readonly string[]): Processes & { stopped: boolean } {
  return {
    ...fakeProcesses(),
    stopped: false,
    start() {
      return {
        ...{ pid: 1, stdin: new PassThrough(), stdout: Readable.from(lines.map((line) => `${line}\n`)) },
        ...{ stderr: Readable.from([]), ended: new Promise(() => {}) },
        stop: async () => {
          this.stopped = true;
        },
      };
    },
  };
}

test('what keeps the process from it that gives the kernel its blocks is told as it was there', async () => {
  const digest = `sha256:${'a'.repeat(64)}` as Digest;
  const what = { location: 'http://server/store', image: 'web', digest, fileSystem: 'xfs' as const };
  const wish: LiveSourceWish = { ...what, size: 2 ** 30, uuid: 'u', time: 1, room: 2 ** 20, directory };
  const problem = new ImprintError('live-source-missing', { reference: 'web:3', fileSystem: 'xfs', store: 'there' });
  const said: string[] = [];
  const openStore = () => Promise.reject(problem);
  const { signal } = new AbortController();
  const server = { processes: fakeProcesses(), clock: systemClock, openStore, signal };
  const serve = serveLiveSource(JSON.stringify(wish), { ...server, say: (line) => said.push(line) });
  await expect(serve).rejects.toBe(problem);
  const processes = serving(['no word of ours', ...said]);
  const host = { processes, clock: systemClock, command: ['serve'] as const, tell: () => {} };
  const error = await LiveSource.attach(wish, host, signal).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(ImprintError);
  expect(error.toValue()).toEqual(problem.toValue());
  expect(error.exitStatus).toBe(problem.exitStatus);
  expect(processes.stopped).toBe(true);
});
