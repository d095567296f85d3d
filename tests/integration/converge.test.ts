import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import type { Timestamp } from '../../src/image/entry.ts';
import { status } from '../../src/native/status.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { compareTree } from '../../src/tree/compare-tree.ts';
import { convergeTree } from '../../src/tree/converge-tree.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { makeEveryEntry } from './every-entry.ts';
import { type LoopFileSystem, type LoopType, mountLoop } from './loop-file-system.ts';
import { captureTree, type VersionContent, versionContent } from './version-content.ts';

let base: string;
let store: DirectoryStore;
let disk: LoopFileSystem;
/** Every kind of entry; the same with much of it changed; a small tree, and the same changed. */
let first: VersionContent;
let second: VersionContent;
let small: VersionContent;
let other: VersionContent;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-converge-'));
  store = await DirectoryStore.open(join(base, 'store'), { create: true });
  disk = mountLoop('ext4', 1024);
  const source = join(disk.path, 'source');
  makeEveryEntry(source);
  mkdirSync(join(source, 'kernel'));
  writeFileSync(join(source, 'kernel/disk'), randomBytes(40 << 20));
  first = await versionContent(store, await captureTree(store, source));
  edit(source);
  second = await versionContent(store, await captureTree(store, source));
  rmSync(source, { recursive: true });
  mkdirSync(source);
  makeSmall(source);
  small = await versionContent(store, await captureTree(store, source));
  writeFileSync(join(source, 'etc/new'), 'new');
  writeFileSync(join(source, 'etc/conf'), 'two');
  rmSync(join(source, 'usr/lib'), { recursive: true });
  symlinkSync('bin', join(source, 'usr/lib'));
  other = await versionContent(store, await captureTree(store, source));
  rmSync(source, { recursive: true });
});
afterAll(async () => {
  disk[Symbol.dispose]();
  await store.close();
  rmSync(base, { recursive: true, force: true });
});

describe.skipIf(process.geteuid?.() !== 0)('a tree that becomes a version', () => {
  it.each<LoopType>(['ext4', 'xfs', 'btrfs'])('is it to the last attribute on %s, there and back', async (type) => {
    using own = mountLoop(type, 512);
    const target = join(own.path, 'tree');
    await restoreTree({ store, version: first.digest, target, task: Task.silent() });
    const seal = sealOf(target);
    await converge(target, second, { of: first, seal });
    expect(await differences(second.digest, target)).toEqual([]);
    // And with nothing known of it.
    await converge(target, first);
    expect(await differences(first.digest, target)).toEqual([]);
    expect(await captureTree(store, target)).toBe(first.digest);
  });

  it('writes of a large file what changed, and reads no content where nothing did', async () => {
    const target = join(disk.path, 'large');
    await restoreTree({ store, version: first.digest, target, task: Task.silent() });
    const seal = sealOf(target);
    const idle = await converge(target, first, { of: first, seal });
    expect(idle).toMatchObject({ bytes: 0, files: 0, removed: 0 });
    first.asked = 0;
    const before = lstatSync(join(target, 'kernel/disk')).ino;
    const report = await converge(target, second, { of: first, seal });
    expect(lstatSync(join(target, 'kernel/disk')).ino).toBe(before);
    expect(report.bytes).toBeLessThan(15 << 20);
    expect(await captureTree(store, target)).toBe(second.digest);
    await report.verify(rawPath(target), Task.silent());
    rmSync(target, { recursive: true });
  });

  it('does not trust a file of the right size and time that was written since', async () => {
    const target = join(disk.path, 'sly');
    await restoreTree({ store, version: small.digest, target, task: Task.silent() });
    const seal = sealOf(target);
    const { atime, mtime } = statSync(join(target, 'usr/bin/tool'));
    const bytes = readFileSync(join(target, 'usr/bin/tool'));
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    writeFileSync(join(target, 'usr/bin/tool'), bytes);
    utimesSync(join(target, 'usr/bin/tool'), atime, mtime);
    await converge(target, small, { of: small, seal });
    expect(await differences(small.digest, target)).toEqual([]);
    rmSync(target, { recursive: true });
  });

  it('leaves alone what is not the version’s, and the way to it', async () => {
    const target = join(disk.path, 'own');
    await restoreTree({ store, version: small.digest, target, task: Task.silent() });
    mkdirSync(join(target, 'var/lib/imprint'), { recursive: true });
    writeFileSync(join(target, 'var/lib/imprint/state'), 'mine');
    writeFileSync(join(target, 'var/lib/stray'), 'x');
    const keep = (path: string) => path === 'var/lib/imprint';
    await convergeTree({ target: rawPath(target), to: other, keep, task: Task.silent() });
    expect(readFileSync(join(target, 'var/lib/imprint/state'), 'utf8')).toBe('mine');
    expect(readdirSync(join(target, 'var/lib'))).toEqual(['imprint']);
    rmSync(join(target, 'var'), { recursive: true });
    await converge(target, other);
    expect(await captureTree(store, target)).toBe(other.digest);
    rmSync(target, { recursive: true });
  });

  it('becomes it from whatever it was, broken off anywhere and begun again', async () => {
    const change = fc.record({
      what: fc.constantFrom(...Object.keys(changes)),
      one: fc.nat({ max: 1000 }),
      two: fc.nat({ max: 1000 }),
    });
    const run = fc.record({
      changes: fc.array(change, { maxLength: 12 }),
      cut: fc.option(fc.nat({ max: 12 }), { nil: undefined }),
      known: fc.boolean(),
    });
    let number = 0;
    await fc.assert(
      fc.asyncProperty(run, async ({ changes: list, cut, known }) => {
        number += 1;
        const target = join(disk.path, `drift-${number}`);
        await restoreTree({ store, version: small.digest, target, task: Task.silent() });
        const seal = sealOf(target);
        for (const { what, one, two } of list) drift(target, what, one, two);
        const from = known ? { of: small, seal } : undefined;
        if (cut !== undefined) await breakOff(target, other, cut, from);
        const report = await converge(target, other, cut === undefined ? from : undefined);
        expect(await captureTree(store, target)).toBe(other.digest);
        await report.verify(rawPath(target), Task.silent());
        rmSync(target, { recursive: true });
      }),
      { numRuns: 25 },
    );
  });

  it('says when the disk is full, and becomes a smaller version then', async () => {
    using own = mountLoop('ext4', 48);
    const target = join(own.path, 'tree');
    await restoreTree({ store, version: small.digest, target, task: Task.silent() });
    await expect(converge(target, first)).rejects.toMatchObject({ code: 'disk-full' });
    await converge(target, other);
    expect(await captureTree(store, target)).toBe(other.digest);
  });

  it('finds what did not reach the disk', async () => {
    const target = join(disk.path, 'rotten');
    await restoreTree({ store, version: small.digest, target, task: Task.silent() });
    const report = await converge(target, other);
    const { atime, mtime } = statSync(join(target, 'etc/new'));
    writeFileSync(join(target, 'etc/new'), 'nEw');
    utimesSync(join(target, 'etc/new'), atime, mtime);
    await expect(report.verify(rawPath(target), Task.silent())).rejects.toMatchObject({ code: 'tree-differs' });
    rmSync(target, { recursive: true });
  });
});

interface Known {
  of: VersionContent;
  seal: Timestamp;
}

async function converge(target: string, to: VersionContent, known?: Known) {
  const from = known && { from: { entries: known.of.entries, sealed: known.seal } };
  return convergeTree({ target: rawPath(target), to, ...from, task: Task.silent() });
}

/** Stops at the nth content. */
async function breakOff(target: string, to: VersionContent, at: number, known?: Known): Promise<void> {
  let left = at;
  const content = async (hash: string) => {
    left -= 1;
    if (left < 0) throw new Error('cut');
    return to.content(hash);
  };
  await converge(target, { ...to, content }, known).catch(() => {});
}

/** The moment up to which all in the tree is what the version has. */
function sealOf(target: string): Timestamp {
  const mark = `${target}.seal`;
  writeFileSync(mark, '');
  const { ctimeSeconds, ctimeNanoseconds } = status(rawPath(mark));
  unlinkSync(mark);
  // The kernel's clock for files goes in steps of some milliseconds.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 12);
  return { seconds: ctimeSeconds, nanoseconds: ctimeNanoseconds };
}

async function differences(digest: Digest, directory: string): Promise<unknown[]> {
  return Array.fromAsync(compareTree({ store, digest, directory: rawPath(directory), task: Task.silent() }));
}

/** Changes of every sort to the tree with every kind of entry. */
function edit(root: string): void {
  const at = (path: string) => join(root, path);
  const kernel = readFileSync(at('kernel/disk'));
  randomBytes(4096).copy(kernel, 20 << 20);
  writeFileSync(at('kernel/disk'), kernel);
  for (let index = 0; index < 30; index += 1) writeFileSync(at(`many-${index}`), `other ${index}`);
  for (let index = 30; index < 60; index += 1) unlinkSync(at(`many-${index}`));
  for (let index = 60; index < 90; index += 1) chmodSync(at(`many-${index}`), 0o600);
  for (let index = 90; index < 120; index += 1) chownSync(at(`many-${index}`), index, index);
  for (let index = 120; index < 150; index += 1) utimesSync(at(`many-${index}`), index, index);
  unlinkSync(at('a/linked too'));
  linkSync(at('many-200'), at('a/linked too'));
  unlinkSync(at('symlink, long'));
  symlinkSync('y'.repeat(999), at('symlink, long'));
  unlinkSync(at('fifo'));
  mkdirSync(at('fifo'));
  writeFileSync(at('fifo/now a directory'), '');
  rmSync(at('sticky'), { recursive: true });
  writeFileSync(at('sticky'), 'now a file');
  truncateSync(at('hole at end'), 3 << 16);
  renameSync(at('old directory'), at('new name'));
  execFileSync('setfacl', ['-b', at('acl')]);
  execFileSync('setfacl', ['-m', 'u:77:rwx', at('acl dir')]);
  writeFileSync(at('acl dir/by default'), 'x');
  execFileSync('setcap', ['-r', at('capable')]);
  chownSync(at('capable and owned'), 5, 5);
  execFileSync('setfattr', ['-n', 'user.new', '-v', 'x', at('xattrs')]);
}

function makeSmall(root: string): void {
  for (const path of ['etc/d', 'usr/bin', 'usr/lib/deep', 'var']) mkdirSync(join(root, path), { recursive: true });
  for (const name of ['conf', 'd/one', 'd/two', 'hosts']) writeFileSync(join(root, 'etc', name), name);
  for (const name of ['tool', 'other'])
    writeFileSync(join(root, 'usr/bin', name), randomBytes(20_000), { mode: 0o755 });
  for (const name of ['a', 'b', 'deep/c']) writeFileSync(join(root, 'usr/lib', name), randomBytes(3000));
  linkSync(join(root, 'usr/bin/tool'), join(root, 'usr/bin/tool-2'));
  linkSync(join(root, 'usr/bin/tool'), join(root, 'usr/tool-3'));
  symlinkSync('usr/bin', join(root, 'bin'));
  mkdirSync(join(root, 'lost+found'), 0o700);
}

const paths = ['etc', 'etc/conf', 'etc/d', 'etc/d/one', 'etc/new', 'usr/bin/tool', 'usr/bin/tool-2', 'usr/bin/other'];
const morePaths = ['usr/tool-3', 'usr/lib', 'usr/lib/a', 'usr/lib/deep/c', 'bin', 'var', 'stray', 'etc/d/stray'];
const allPaths = [...paths, ...morePaths];

/** One change each; what cannot be done is not. */
const changes: Record<string, (path: string, second: string, number: number) => void> = {
  write: (path, _, number) => overwrite(path, Buffer.from(`x${number}`)),
  'write, time kept': (path) => {
    const { atime, mtime, size } = statSync(path);
    overwrite(path, Buffer.alloc(size, 7));
    utimesSync(path, atime, mtime);
  },
  truncate: (path, _, number) => truncateSync(path, number),
  remove: (path) => rmSync(path, { recursive: true }),
  directory: (path) => mkdirSync(path),
  'directory with things': (path) => {
    mkdirSync(join(path, 'x/y'), { recursive: true });
    writeFileSync(join(path, 'x/y/z'), 'z');
  },
  mode: (path, _, number) => chmodSync(path, number),
  owner: (path, _, number) => chownSync(path, number, number),
  time: (path, _, number) => utimesSync(path, number, number),
  move: (path, second) => renameSync(path, second),
  link: (path, second) => linkSync(path, second),
  symlink: (path, second) => symlinkSync(second, path),
  'symlink out of the tree': (path) => symlinkSync('/etc', path),
  xattr: (path, _, number) => void execFileSync('setfattr', ['-n', 'user.x', '-v', String(number), path], quiet),
  'default acl': (path) => void execFileSync('setfacl', ['-m', 'd:u:99:rwx', path], quiet),
  fifo: (path) => void execFileSync('mkfifo', [path], quiet),
};
const quiet = { stdio: 'ignore' } as const;

/** Fails where an earlier change has put a FIFO, which else waits for ever for a reader. */
function overwrite(path: string, bytes: Uint8Array): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NONBLOCK);
  try {
    writeSync(file, bytes);
  } finally {
    closeSync(file);
  }
}

function drift(root: string, what: string, one: number, two: number): void {
  const at = (number: number) => join(root, allPaths[number % allPaths.length] ?? '');
  try {
    changes[what]?.(at(one), at(two), one);
  } catch {
    // There is nothing to do it to, or something in its way.
  }
}
