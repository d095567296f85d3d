import { type ChildProcess, fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { checkStore } from '../../src/store/check-store.ts';
import type { Defect } from '../../src/store/defect.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { temporaryDirectory } from '../contract/store-fixture.ts';
import { capture, changeTree, type Kind, kinds, work } from './store-work.ts';

/** Of each kind; 300 in all. */
const kills = Number(process.env.IMPRINT_KILLS ?? 50);

/** What Node compiled: two of three seconds of a process that is killed are its start. */
let cache: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  cache = await temporaryDirectory();
});
afterAll(() => cache[Symbol.asyncDispose]());

/** Starts a process that waits for its work. */
async function startWorker(directory: string): Promise<ChildProcess> {
  const places = ['store', 'tree', 'copy'].map((name) => join(directory, name));
  const child = fork(new URL('./kill-worker.ts', import.meta.url).pathname, places, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--disable-warning=ExperimentalWarning'],
    env: { ...process.env, NODE_COMPILE_CACHE: cache.path },
  });
  await once(child, 'message');
  return child;
}

/** How long one thing of a kind takes, in milliseconds, as far as is known. */
type Spans = Map<Kind, number>;

/** Lets a process work and kills it at a random moment of the thing that it does first, or of the next. */
async function killAtWork(child: ChildProcess, kind: Kind, spans: Spans): Promise<void> {
  const ended = once(child, 'exit');
  let began = 0;
  await new Promise<void>((resolve) => {
    child.on('message', (message) => {
      if (message === 'begin' && began === 0) {
        began = performance.now();
        setTimeout(resolve, Math.random() * 1.3 * (spans.get(kind) ?? 200));
      } else if (message === 'done' && began > 0 && began < Number.POSITIVE_INFINITY) {
        spans.set(kind, 0.8 * (spans.get(kind) ?? 200) + 0.2 * (performance.now() - began));
        began = Number.POSITIVE_INFINITY;
      }
    });
    child.once('exit', () => resolve());
    child.send(kind);
  });
  expect(child.exitCode, `${kind} ended by itself`).toBeNull();
  child.kill('SIGKILL');
  await ended;
}

async function defects(store: DirectoryStore): Promise<Defect[]> {
  return Array.fromAsync(checkStore(store, Task.silent()));
}

async function hurtPacks(store: DirectoryStore): Promise<void> {
  for (const pack of await store.packs()) {
    if (randomInt(2) === 0) continue;
    const path = store.path(`packs/${pack.slice(0, 2)}/${pack}.pack`);
    const bytes = await readFile(path);
    const at = randomInt(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
  }
}

test.each(kinds)('%s killed at random moments leaves a whole store', async (kind) => {
  await using directory = await temporaryDirectory();
  const place = (name: string) => join(directory.path, name);
  const store = await DirectoryStore.open(place('store'), { create: true });
  for (let version = 0; version < 3; version += 1) {
    await changeTree(place('tree'));
    await capture(store, place('tree'), false);
  }
  const first = await startWorker(directory.path);
  first.send('warm up');
  await once(first, 'exit');
  const spans: Spans = new Map();
  let next = startWorker(directory.path);
  for (let round = 0; round < kills; round += 1) {
    const child = await next;
    next = startWorker(directory.path);
    if (kind === 'repair') {
      await rm(place('copy'), { recursive: true, force: true });
      await cp(place('store'), place('copy'), { recursive: true });
      await hurtPacks(store);
    }
    const before = await store.versions();
    await killAtWork(child, kind, spans);
    if (kind === 'repair') {
      // A repair that was cut may be begun again, and then ends.
      await work('repair', { store, tree: place('tree'), copy: place('copy') });
      expect(await defects(store), `round ${round}`).toEqual([]);
    } else {
      // The index may be behind; nothing else may be wrong.
      const found = (await defects(store)).filter((defect) => defect.kind !== 'index');
      expect(found, `round ${round}`).toEqual([]);
    }
    const after = (await store.versions()).map(({ record }) => record.number);
    if (kind === 'tag' || kind === 'repair') expect(after).toEqual(before.map(({ record }) => record.number));
    expect(after.at(-1)).toBeGreaterThanOrEqual(before.at(-1)?.record.number ?? 0);
  }
  const last = await next;
  last.kill('SIGKILL');
  // What all of them left behind goes, and the store is as good as new.
  await store.collect({ grace: 0 }, Task.silent());
  await capture(store, place('tree'), false);
  expect(await defects(store)).toEqual([]);
  expect(await store.retiredPacks()).toEqual(new Set());
  expect(await readdir(place('store/tmp')).catch(() => [])).toEqual([]);
});
