import { fork } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { checkStore } from '../../src/store/check-store.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { commitFiles, temporaryDirectory } from '../contract/store-fixture.ts';

const seconds = Number(process.env.IMPRINT_RACE_SECONDS ?? 125);

type Counts = Record<string, number>;

/** Lets a party run to its end; what it did. Rejects where it met anything that must not be. */
function run(role: string, directory: string, scratch: string): Promise<Counts> {
  const worker = new URL('./race-worker.ts', import.meta.url).pathname;
  const child = fork(worker, [directory, role, String(seconds), scratch], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  let said = '';
  let counts: Counts = {};
  child.stderr?.on('data', (text) => {
    said += text;
  });
  child.on('message', (message) => {
    counts = message as Counts;
  });
  return new Promise((resolve, reject) => {
    child.on('exit', (status, signal) => {
      if (status === 0) resolve(counts);
      else reject(new Error(`the ${role} ended with ${status ?? signal}: ${said}`));
    });
  });
}

test('writers, removals, collections, readers and checkouts run together, and none meets another', async () => {
  await using directory = await temporaryDirectory();
  const [place, scratch] = [join(directory.path, 'store'), join(directory.path, 'scratch')];
  await mkdir(scratch);
  const store = await DirectoryStore.open(place, { create: true });
  await commitFiles(store, 'web', { first: Buffer.from('first') });
  const roles = ['writer', 'writer', 'collector', 'reader', 'slow-reader', 'slow-reader', 'checkout'];
  const outcomes = await Promise.allSettled(roles.map((role) => run(role, place, scratch)));
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => String(reason));
  expect(failures).toEqual([]);
  const sum = (what: string) =>
    outcomes.reduce((total, each) => total + ((each.status === 'fulfilled' && each.value[what]) || 0), 0);
  const done = [
    'committed',
    'removed',
    'collected',
    'packs deleted',
    'packs rewritten',
    'packs that waited',
    'read',
    'chunks',
    'checked out',
    'removed before',
  ];
  console.log(done.map((what) => `${what}: ${sum(what)}`).join(', '));
  // They did meet: each was busy all the time, and the collector had to wait for readers.
  for (const what of ['committed', 'collected', 'packs deleted', 'packs rewritten', 'read', 'checked out'])
    expect(sum(what), what).toBeGreaterThan(seconds / 5);
  expect(sum('packs that waited')).toBeGreaterThan(0);
  expect(await Array.fromAsync(checkStore(store, Task.silent()))).toEqual([]);
  const left = await store.collect({ grace: 0 }, Task.silent());
  expect(left.packsWaiting).toBe(0);
  expect(await Array.fromAsync(checkStore(store, Task.silent()))).toEqual([]);
});
