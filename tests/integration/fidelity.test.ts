import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { close, open, openFlags } from '../../src/native/files.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { captureDirectory } from '../../src/tree/capture-directory.ts';
import { compareTree } from '../../src/tree/compare-tree.ts';
import { findSegments } from '../../src/tree/content-reader.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { walk } from '../../src/tree/walk.ts';
import { makeEveryEntry } from './every-entry.ts';
import { type LoopType, mountLoop } from './loop-file-system.ts';

let base: string;
let store: DirectoryStore;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-fidelity-'));
  store = await DirectoryStore.open(join(base, 'store'), { create: true });
});
afterAll(async () => {
  await store.close();
  rmSync(base, { recursive: true, force: true });
});

describe.skipIf(process.geteuid?.() !== 0)('a tree with every kind of entry', () => {
  it.each<LoopType>(['ext4', 'xfs', 'btrfs'])('comes back on %s as it was', async (type) => {
    using disk = mountLoop(type, 512);
    const source = join(disk.path, 'source');
    const target = join(disk.path, 'target');
    makeEveryEntry(source);
    const digest = await capture(source);
    const report = await restoreTree({ store, version: digest, target, task: Task.silent() });
    expect(report.warnings).toEqual([]);
    expectEqualByOthers(source, target);
    expect(holes(target)).toEqual(holes(source));
    expect(await differences(digest, source)).toEqual([]);
    expect(await differences(digest, target)).toEqual([]);
    // Captured from its copy it is the same version, to the last bit.
    expect(await capture(target)).toBe(digest);
  });

  it('goes from one file system to another', async () => {
    using ext4 = mountLoop('ext4', 512);
    using btrfs = mountLoop('btrfs', 512);
    const source = join(ext4.path, 'source');
    makeEveryEntry(source);
    const digest = await capture(source);
    const target = join(btrfs.path, 'target');
    await restoreTree({ store, version: digest, target, task: Task.silent(), workers: 1 });
    expectEqualByOthers(source, target);
  });

  it('is restored where new file systems are mounted below, and nothing but these is there', async () => {
    using root = mountLoop('ext4', 512);
    const source = join(root.path, 'source');
    const target = join(root.path, 'target');
    mkdirSync(join(source, 'srv/data'), { recursive: true });
    writeFileSync(join(source, 'srv/data/seed'), 'of the version');
    const digest = await capture(source);
    mkdirSync(join(target, 'srv/data'), { recursive: true });
    mkdirSync(join(target, 'mnt/more'), { recursive: true });
    const restore = (mountsBelow?: boolean) =>
      restoreTree({
        ...{ store, version: digest, target, keepOnFailure: true, task: Task.silent() },
        ...(mountsBelow === undefined ? {} : { mountsBelow }),
      });
    await expect(restore()).rejects.toMatchObject({ code: 'target-not-empty' });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'data', join(target, 'srv/data')]);
    try {
      writeFileSync(join(target, 'srv/data/of-somebody'), '');
      await expect(restore(true)).rejects.toMatchObject({ code: 'target-not-empty' });
      rmSync(join(target, 'srv/data/of-somebody'));
      await restore(true);
      const files = execFileSync('find', [target, '-type', 'f', '-printf', '%P'], { encoding: 'utf8' });
      expect(files).toBe('srv/data/seed');
    } finally {
      execFileSync('umount', [join(target, 'srv/data')]);
    }
    // It went into what was mounted there, not below it.
    expect(execFileSync('find', [join(target, 'srv'), '-type', 'f'], { encoding: 'utf8' })).toBe('');
  });
});

async function capture(directory: string): Promise<Digest> {
  const task = Task.silent();
  await using transaction = await store.begin('test', task);
  const { manifest, warnings } = await captureDirectory({ directory: rawPath(directory), transaction, task });
  expect(warnings).toEqual([]);
  return manifest.digest;
}

async function differences(digest: Digest, directory: string): Promise<unknown[]> {
  return Array.fromAsync(compareTree({ store, digest, directory: rawPath(directory), task: Task.silent() }));
}

/** What rsync and find, which are not ours, say of both. */
function expectEqualByOthers(source: string, target: string): void {
  const run = (command: string, args: string[]) =>
    execFileSync(command, args, { encoding: 'latin1', maxBuffer: 1 << 28 });
  for (const [from, to] of [
    [source, target],
    [target, source],
  ] as const) {
    // rsync cannot name what is too deep for one path; find and our own comparison look there.
    // With a huge sparse file checksums would take minutes: its content is compared by ours.
    const args = ['-aHAXnci', '--delete', '--exclude=/deep', '--exclude=/huge', `${from}/`, `${to}/`];
    expect(run('rsync', args)).toBe('');
  }
  const common = '%P %y %m %U %G %T@';
  const listing = (directory: string) =>
    run('find', [directory, '-type', 'd', '-printf', `${common}\\0`, '-o', '-printf', `${common} %n %l %s\\0`])
      .split('\0')
      .sort();
  expect(listing(target)).toEqual(listing(source));
}

function holes(directory: string): unknown[] {
  const found: unknown[] = [];
  for (const { path, absolute, status } of walk(rawPath(directory))) {
    if ((status.mode & 0o170000) !== 0o100000) continue;
    const fd = open(absolute, openFlags.readOnly);
    const segments = findSegments(fd, status.size);
    close(fd);
    if (segments !== undefined) found.push([path, segments]);
  }
  return found;
}
