import { createHash, hash, randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Digest } from '../../src/foundation/brand.ts';
import { ImprintError } from '../../src/foundation/errors.ts';
import { Task } from '../../src/foundation/task.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { decompress } from '../../src/store/zstd.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { commitFiles } from '../contract/store-fixture.ts';

/**
 * One party of the race: reads, writes or collects for some seconds, then says what it did. Any surprise is thrown, and ends
 * the process with a status.
 */
const [directory = '', role = '', seconds = '', scratch = ''] = process.argv.slice(2);
const end = performance.now() + Number(seconds) * 1000;
const counts: Record<string, number> = {};

const roles: Record<string, () => Promise<void>> = {
  writer: () => write(),
  collector: () => collect(),
  reader: () => read(false),
  'slow-reader': () => read(true),
  checkout: () => checkOut(),
};
await roles[role]?.();
process.send?.(counts, () => process.exit(0));

function count(what: string, by = 1): void {
  counts[what] = (counts[what] ?? 0) + by;
}

/** Content that every process can make: what the file of this name and age holds. */
function blob(number: number): Buffer {
  const block = createHash('sha256').update(`blob ${number}`).digest();
  return Buffer.concat(
    Array.from({ length: 8 + (number % 900) }, (_, index) =>
      hash('sha256', `${block.toString('hex')} ${index}`, 'buffer'),
    ),
  );
}

/** Does something that needs the lock; where another has it, later. */
async function locked(work: () => Promise<void>): Promise<void> {
  while (performance.now() < end) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ImprintError) || error.code !== 'store-locked') throw error;
      count('waited');
      await sleep(randomInt(3, 30));
    }
  }
}

async function write(): Promise<void> {
  const store = await DirectoryStore.open(directory);
  let newest = 0;
  while (performance.now() < end) {
    newest += 3;
    const files: Record<string, Buffer> = {};
    // Most is of late, some is old, so that packs come to be needed only in part.
    for (let file = 0; file < 24; file += 1) {
      const number = randomInt(3) === 0 ? randomInt(Math.max(1, newest)) : newest + randomInt(20);
      files[`f${number}`] = blob(number);
    }
    await locked(async () => {
      await commitFiles(store, 'web', files, ['newest']);
      count('committed');
    });
    const versions = (await store.versions('web')).map(({ record }) => record.number);
    if (versions.length > 6) {
      const victims = versions.slice(0, -1).filter(() => randomInt(2) === 0);
      if (victims.length > 0)
        await locked(async () => {
          const there = new Set((await store.versions('web')).map(({ record }) => record.number));
          const list = victims.filter((number) => there.has(number));
          await store.remove(list.map((number) => `web:${number}`)).catch(tolerateRemoved);
          count('removed', list.length);
        });
    }
    await sleep(randomInt(30));
  }
}

/** The other writer was quicker. */
function tolerateRemoved(error: unknown): void {
  if (!(error instanceof ImprintError) || error.code !== 'image-not-found') throw error;
}

async function collect(): Promise<void> {
  const store = await DirectoryStore.open(directory);
  while (performance.now() < end) {
    await locked(async () => {
      const report = await store.collect({ grace: 0 }, Task.silent());
      count('collected');
      count('packs deleted', report.packsDeleted);
      count('packs rewritten', report.packsRewritten);
      count('packs that waited', report.packsWaiting);
    });
    await sleep(randomInt(20));
  }
}

/** Reads whole versions and holds every chunk against its hash; a slow one waits between looking and reading. */
async function read(slow: boolean): Promise<void> {
  let store: Store = await openStore(directory);
  while (performance.now() < end) {
    // A store that stays open for a while has tables of packs that are gone by now.
    if (randomInt(8) === 0) {
      await store.close();
      store = await openStore(directory);
    }
    try {
      const versions = await store.versions('web');
      const version = versions[randomInt(versions.length)];
      if (version === undefined) continue;
      await readVersion(store, version.record.digest as Digest, slow);
      count('read');
    } catch (error) {
      // What was removed before it was leased is not there: that is all that may happen.
      if (!(error instanceof ImprintError) || error.code !== 'image-not-found') throw error;
      count('removed before');
    }
  }
}

async function readVersion(store: Store, digest: Digest, slow: boolean): Promise<void> {
  const hashes = new Set<string>();
  for await (const batch of store.entries(digest))
    for (const { chunks } of batch)
      for (const chunk of chunks ?? []) hashes.add(Buffer.from(chunk.hash).toString('hex'));
  if (slow) await sleep(randomInt(300));
  const places = await store.locate(hashes, digest);
  for (const [name, place] of places) {
    if (slow && randomInt(6) === 0) await sleep(randomInt(60));
    const frame = await store.readPack(place.pack, place.frameOffset, place.frameLength);
    const content = decompress(frame, place.frameContentLength).subarray(place.offset, place.offset + place.length);
    if (hash('sha256', content, 'hex') !== name) throw new Error(`a chunk of ${digest} is not what it was`);
    count('chunks');
  }
}

async function checkOut(): Promise<void> {
  const place = await mkdtemp(join(scratch, 'checkout-'));
  while (performance.now() < end) {
    const store = await openStore(directory);
    try {
      const versions = await store.versions('web');
      const version = versions[randomInt(versions.length)];
      if (version === undefined) continue;
      await restoreTree({ store, version, target: join(place, 'tree'), task: Task.silent(), workers: 1 });
      count('checked out');
    } catch (error) {
      if (!(error instanceof ImprintError) || error.code !== 'image-not-found') throw error;
      count('removed before');
    } finally {
      await store.close();
      await rm(join(place, 'tree'), { recursive: true, force: true });
    }
  }
}
