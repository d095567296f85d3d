import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import { ImprintError } from '../../src/foundation/errors.ts';
import { Task } from '../../src/foundation/task.ts';
import { checkStore } from '../../src/store/check-store.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { commitFiles } from '../contract/store-fixture.ts';

const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe', encoding: 'utf8' });

/** A directory whose mounts, innermost last, go with it. */
class Bench implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'imprint-disk-'));
  readonly #mounted: string[] = [];

  directory(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  mount(path: string, ...args: string[]): void {
    run('mount', ...args, path);
    this.#mounted.push(path);
  }

  unmount(path: string): void {
    run('umount', path);
    this.#mounted.splice(this.#mounted.indexOf(path), 1);
  }

  [Symbol.dispose](): void {
    for (const path of this.#mounted.toReversed()) run('umount', '--lazy', path);
    rmSync(this.path, { recursive: true, force: true });
  }
}

async function defects(store: DirectoryStore) {
  return Array.fromAsync(checkStore(store, Task.silent()));
}

test('a pack that its disk cannot read is named, is no reason for a check to stop, and content that lies elsewhere is found', async () => {
  using bench = new Bench();
  const image = join(bench.path, 'image');
  const disk = bench.directory('disk');
  writeFileSync(image, '');
  truncateSync(image, 64 << 20);
  run('mkfs.ext4', '-q', '-F', '-b', '4096', image);
  bench.mount(disk, '-o', 'loop', image);
  const writer = await DirectoryStore.open(join(disk, 'store'), { create: true });
  await commitFiles(writer, 'small', { a: randomBytes(5000) });
  const { record } = await commitFiles(writer, 'web', { b: randomBytes(3_000_000) });
  await writer.close();
  bench.unmount(disk);
  bench.mount(disk, '-o', 'loop,ro,noload', image);
  const store = await DirectoryStore.open(join(disk, 'store'));
  const lengths = await Promise.all(
    (await store.packs()).map(async (pack) => ({
      pack,
      length: (await store.files.length(`packs/${pack.slice(0, 2)}/${pack}.pack`)) ?? 0,
    })),
  );
  const { pack } = lengths.toSorted((left, right) => right.length - left.length)[0] ?? { pack: '' };
  // The disk ends in the middle of the pack: reading beyond is EIO.
  const extent = /^\s+0:\s+\d+\.\.\s*\d+:\s+(\d+)\.\./m.exec(
    run('filefrag', '-v', store.path(`packs/${pack.slice(0, 2)}/${pack}.pack`)),
  );
  truncateSync(image, Number(extent?.[1]) * 4096 + 1_000_000);

  const found = await defects(store);
  expect(found.filter(({ kind }) => kind === 'pack' || kind === 'content').length).toBeGreaterThan(0);
  expect(found.every(({ affects }) => !affects.includes('small:1'))).toBe(true);
  const target = bench.directory('target');
  await expect(
    restoreTree({ store, version: record.digest as Digest, target: join(target, 'tree'), task: Task.silent() }),
  ).rejects.toMatchObject({ code: expect.stringMatching(/^(io-failed|corrupt-pack|chunk-missing)$/) });
  await expect(store.begin('test', Task.silent())).rejects.toMatchObject({ code: 'read-only' });
  await store.close();
});

test('a disk that fails while it is written leaves the store as it was', async () => {
  using bench = new Bench();
  const memory = bench.directory('memory');
  const disk = bench.directory('disk');
  // A disk that says it has 96 MB and has not: what does not fit below is EIO above.
  bench.mount(memory, '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs');
  const image = join(memory, 'image');
  writeFileSync(image, '');
  truncateSync(image, 96 << 20);
  run('mkfs.ext4', '-q', '-F', '-J', 'size=4', '-E', 'nodiscard', image);
  bench.mount(disk, '-o', 'loop,nodiscard', image);
  const store = await DirectoryStore.open(join(disk, 'store'), { create: true });
  const kept = { a: randomBytes(500_000) };
  await commitFiles(store, 'web', kept);
  run('sync', '--file-system', disk);

  const failure = await commitFiles(store, 'web', {
    b: randomBytes(40_000_000).subarray(0, 4_000_000),
    ...many(36),
  }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: expect.stringMatching(/^(io-failed|disk-full|read-only|EIO|ENOSPC|EROFS)$/) });
  if (failure instanceof ImprintError) expect(failure.hint).not.toBe('');
  await store.close();

  // The disk comes back, as after a change of cable: what was durable is there.
  run('mount', '-o', 'remount,size=200m', memory);
  bench.unmount(disk);
  try {
    run('e2fsck', '-fy', image);
  } catch (error) {
    // Status 1: it mended something.
    if ((error as { status?: number }).status !== 1) throw error;
  }
  bench.mount(disk, '-o', 'loop', image);
  const again = await DirectoryStore.open(join(disk, 'store'));
  expect((await again.versions()).map(({ record }) => record.number)).toEqual([1]);
  expect(await defects(again)).toEqual([]);
  expect((await commitFiles(again, 'web', { ...kept, c: randomBytes(1000) })).record.number).toBe(2);
  expect(await defects(again)).toEqual([]);
  await again.close();
});

function many(count: number): Record<string, Buffer> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, randomBytes(1_000_000)]));
}

test('a full disk can be collected', async () => {
  using bench = new Bench();
  const disk = bench.directory('disk');
  bench.mount(disk, '-t', 'tmpfs', '-o', 'size=6m', 'tmpfs');
  const store = await DirectoryStore.open(join(disk, 'store'), { create: true });
  const page = randomBytes(3000);
  await commitFiles(store, 'web', { page, noise: randomBytes(1_000_000) });
  await commitFiles(store, 'web', { page, other: randomBytes(1_000_000) });
  await store.remove('web:1');
  await store.collect({ grace: 3_600_000 }, Task.silent());
  // Two packs may go now or be rewritten, and there is no room for a single byte.
  const reader = await openStore(join(disk, 'store'));
  await reader.close();
  writeFileSync(join(disk, 'filler'), '');
  fill(join(disk, 'filler'));
  const report = await store.collect({ grace: 0 }, Task.silent());
  expect(report.packsDeleted).toBe(1);
  expect(report.bytesFreed).toBeGreaterThan(900_000);
  rmSync(join(disk, 'filler'));
  await store.collect({ grace: 0 }, Task.silent());
  expect(await defects(store)).toEqual([]);
  expect((await store.versions()).map(({ record }) => record.number)).toEqual([2]);
});

/** Takes all the room that is left. */
function fill(path: string): void {
  for (const size of [1 << 20, 1 << 16, 1 << 12]) {
    for (;;) {
      try {
        writeFileSync(path, Buffer.alloc(size), { flag: 'a' });
      } catch {
        break;
      }
    }
  }
}
