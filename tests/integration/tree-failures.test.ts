import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { type CapturedTree, captureDirectory } from '../../src/tree/capture-directory.ts';
import { compareTree } from '../../src/tree/compare-tree.ts';
import { openContentPool } from '../../src/tree/content-pool.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';

let base: string;
let source: string;
let store: DirectoryStore;

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-tree-'));
  source = join(base, 'source');
  mkdirSync(join(source, 'dir'), { recursive: true });
  for (let index = 0; index < 50; index += 1) writeFileSync(join(source, 'dir', `f${index}`), randomBytes(20_000));
  writeFileSync(join(source, 'large'), randomBytes(12 << 20));
  store = await DirectoryStore.open(join(base, 'store'), { create: true });
});
afterEach(async () => {
  await store.close();
  rmSync(base, { recursive: true, force: true });
});

async function capture(options: Partial<Parameters<typeof captureDirectory>[0]> = {}): Promise<CapturedTree> {
  const task = options.task ?? Task.silent();
  await using transaction = await store.begin('test', task);
  return await captureDirectory({ directory: rawPath(source), transaction, task, ...options });
}

const packFiles = () =>
  readdirSync(join(base, 'store', 'packs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.pack'))
    .map((name) => join(base, 'store', 'packs', name));

describe('a restore that fails', () => {
  it.each([
    ['at the start', () => 20],
    ['in the middle', (length: number) => length >> 1],
  ])('names the pack with a flipped bit %s, and leaves nothing', async (_, place) => {
    const { manifest } = await capture();
    const [pack = ''] = packFiles();
    const bytes = readFileSync(pack);
    const at = place(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    writeFileSync(pack, bytes);
    const target = join(base, 'target');
    const restored = restoreTree({ store, version: manifest.digest, target, task: Task.silent() });
    await expect(restored).rejects.toMatchObject({ code: 'corrupt-pack', exitStatus: 5 });
    expect(existsSync(target)).toBe(false);
  });

  it('names content that is in no pack before it writes anything', async () => {
    const { manifest } = await capture();
    for (const pack of packFiles()) unlinkSync(pack);
    const target = join(base, 'target');
    const again = await DirectoryStore.open(join(base, 'store'));
    const restored = restoreTree({ store: again, version: manifest.digest, target, task: Task.silent() });
    await expect(restored).rejects.toMatchObject({ exitStatus: 5 });
    expect(existsSync(target)).toBe(false);
  });

  it('refuses a directory that is not empty, and does not touch it', async () => {
    const { manifest } = await capture();
    const target = join(base, 'target');
    mkdirSync(target);
    writeFileSync(join(target, 'mine'), 'mine');
    const restored = restoreTree({ store, version: manifest.digest, target, task: Task.silent() });
    await expect(restored).rejects.toMatchObject({ code: 'target-not-empty', exitStatus: 4 });
    expect(readdirSync(target)).toEqual(['mine']);
  });

  it('stops when it is interrupted, and leaves nothing', async () => {
    const { manifest } = await capture();
    const controller = new AbortController();
    const target = join(base, 'target');
    const task = Task.silent(controller.signal);
    const restored = restoreTree({ store, version: manifest.digest, target, task });
    setTimeout(() => controller.abort(), 5);
    await expect(restored).rejects.toMatchObject({ code: 'interrupted' });
    expect(existsSync(target)).toBe(false);
  });

  it.skipIf(process.geteuid?.() !== 0)('says that the disk is full, and makes room again', async () => {
    const { manifest } = await capture();
    const target = join(base, 'small');
    mkdirSync(target);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'imprint-test', target]);
    try {
      const restored = restoreTree({ store, version: manifest.digest, target, task: Task.silent() });
      await expect(restored).rejects.toMatchObject({ code: 'disk-full', exitStatus: 1 });
      expect(readdirSync(target)).toEqual([]);
    } finally {
      execFileSync('umount', [target]);
    }
  });
});

describe('a capture', () => {
  it('reads only what changed since the previous version', async () => {
    // Changes within two seconds of a look at a file are not trusted to show.
    execFileSync('touch', ['-d', '1 hour ago', join(source, 'large')]);
    await new Promise((resolve) => setTimeout(resolve, 3100));
    const first = await capture();
    const second = await capture({ previous: { store, digest: first.manifest.digest } });
    expect(second.manifest.digest).toBe(first.manifest.digest);
    expect(second.unchanged).toBe(51);
    appendFileSync(join(source, 'dir', 'f7'), 'more');
    const third = await capture({ previous: { store, digest: first.manifest.digest } });
    expect(third.unchanged).toBe(50);
    expect(third.stats.newChunks).toBe(1);
  });

  it('says which files would not hold still', async () => {
    const writer = spawn('sh', ['-c', 'while printf x >> "$0"; do :; done', join(source, 'large')]);
    try {
      const { warnings } = await capture();
      expect(warnings).toEqual([expect.stringContaining('large changed each time')]);
    } finally {
      writer.kill('SIGKILL');
    }
  });

  it('puts other content in the place of secrets', async () => {
    const substitute = (path: string) => (path === 'dir/f1' ? Buffer.from('none\n') : undefined);
    const { manifest } = await capture({ substitute });
    const target = join(base, 'target');
    await restoreTree({ store, version: manifest.digest, target, task: Task.silent() });
    expect(readFileSync(join(target, 'dir', 'f1'), 'utf8')).toBe('none\n');
    expect(statSync(join(target, 'dir', 'f1')).mtimeMs).toBe(statSync(join(source, 'dir', 'f1')).mtimeMs);
  });

  it('says that the source does not exist', async () => {
    await expect(capture({ directory: rawPath(join(base, 'nowhere')) })).rejects.toMatchObject({
      code: 'source-not-found',
      exitStatus: 3,
    });
  });

  it('stops when it is interrupted', async () => {
    const controller = new AbortController();
    const captured = capture({ task: Task.silent(controller.signal) });
    setTimeout(() => controller.abort(), 20);
    await expect(captured).rejects.toMatchObject({ code: 'interrupted', exitStatus: 130 });
    await expect(capture()).resolves.toBeDefined();
  });

  it.skipIf(process.geteuid?.() !== 0)('says that the store is full, and succeeds when there is room', async () => {
    const small = join(base, 'small');
    mkdirSync(small);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'imprint-test', small]);
    try {
      const full = await DirectoryStore.open(join(small, 'store'), { create: true });
      const attempt = async () => {
        const task = Task.silent();
        await using transaction = await full.begin('test', task);
        return await captureDirectory({ directory: rawPath(source), transaction, task });
      };
      await expect(attempt()).rejects.toMatchObject({ code: 'disk-full', exitStatus: 1 });
      execFileSync('mount', ['-o', 'remount,size=64m', small]);
      await expect(attempt()).resolves.toBeDefined();
      await full.close();
    } finally {
      execFileSync('umount', [small]);
    }
  });

  it('stores streams of any length as it stores files', async () => {
    const task = Task.silent();
    const { manifest } = await capture();
    const chunks = new Map<string, string[]>();
    for await (const entries of store.entries(manifest.digest)) {
      for (const entry of entries) {
        chunks.set(entry.path, entry.chunks?.map(({ hash }) => Buffer.from(hash).toString('hex')) ?? []);
      }
    }
    await using transaction = await store.begin('test', task);
    await using pool = await openContentPool({ transaction, task });
    for (const name of ['large', 'dir/f3']) {
      const bytes = readFileSync(join(source, name));
      const pieces = Array.from({ length: Math.ceil(bytes.length / 70_001) }, (_, index) =>
        bytes.subarray(index * 70_001, (index + 1) * 70_001),
      );
      const { size, stored } = await pool.storeStream(pieces);
      expect(size).toBe(bytes.length);
      expect((await stored).map(({ hash }) => Buffer.from(hash).toString('hex'))).toEqual(chunks.get(name));
    }
    expect((await (await pool.storeStream([])).stored).length).toBe(0);
    await pool.finish();
    expect(transaction.added.chunks).toBe(0);
  });
});

describe('a comparison', () => {
  it('names each attribute that differs', async () => {
    const { manifest } = await capture();
    const large = readFileSync(join(source, 'large'));
    const { mtime } = statSync(join(source, 'large'));
    large[9_000_000] = (large[9_000_000] ?? 0) ^ 1;
    writeFileSync(join(source, 'large'), large);
    execFileSync('touch', ['-d', mtime.toISOString(), join(source, 'large')]);
    execFileSync('chmod', ['0700', join(source, 'dir', 'f3')]);
    unlinkSync(join(source, 'dir', 'f4'));
    writeFileSync(join(source, 'new'), '');
    const found = await Array.fromAsync(
      compareTree({ store, digest: manifest.digest as Digest, directory: rawPath(source), task: Task.silent() }),
    );
    const seen = found.map(({ path, attribute }) => `${path} ${attribute}`);
    expect(seen).toEqual(
      expect.arrayContaining([
        'dir/f3 mode',
        'dir/f4 existence',
        'large content',
        'new existence',
        ' mtime',
        'dir mtime',
      ]),
    );
    expect(seen.filter((line) => /f[0-2]|f5/.test(line))).toEqual([]);
  });
});
