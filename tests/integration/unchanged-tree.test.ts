import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
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
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { type CapturedTree, captureDirectory } from '../../src/tree/capture-directory.ts';

const megabytes = 24;
const rules = 'these';

/** One change each, that a capture must find though it looks at nothing but the status of each entry. */
const changes: Record<string, (root: string) => void> = {
  'an edit of the same length, its time set back': (root) => {
    const { atime, mtime } = statSync(join(root, 'dir/file'));
    writeFileSync(join(root, 'dir/file'), 'CONTENT');
    utimesSync(join(root, 'dir/file'), atime, mtime);
  },
  'a byte more': (root) => writeFileSync(join(root, 'dir/file'), 'content+'),
  'a file that becomes a hole': (root) => {
    truncateSync(join(root, 'dir/file'), 0);
    truncateSync(join(root, 'dir/file'), 7);
  },
  'a mode': (root) => chmodSync(join(root, 'dir/file'), 0o600),
  'an owner': (root) => chownSync(join(root, 'dir/file'), 4711, 4712),
  'a time': (root) => utimesSync(join(root, 'dir/file'), 1, 1),
  'an extended attribute': (root) => execFileSync('setfattr', ['-n', 'user.x', '-v', 'y', join(root, 'dir/file')]),
  'a new empty file, the time of its directory set back': (root) => {
    const { atime, mtime } = statSync(join(root, 'dir'));
    writeFileSync(join(root, 'dir/new'), '');
    utimesSync(join(root, 'dir'), atime, mtime);
  },
  'a new file in a directory that was empty': (root) => writeFileSync(join(root, 'empty/new'), 'x'),
  'a new file in the root': (root) => writeFileSync(join(root, 'zz'), 'x'),
  'a file that has gone': (root) => unlinkSync(join(root, 'dir/file')),
  'a new name': (root) => renameSync(join(root, 'dir/file'), join(root, 'dir/other')),
  'another file under the same name': (root) => {
    writeFileSync(join(root, 'new'), 'CONTENT');
    renameSync(join(root, 'new'), join(root, 'dir/file'));
  },
  'two files that change names': (root) => {
    renameSync(join(root, 'dir/file'), join(root, 'x'));
    renameSync(join(root, 'dir/second'), join(root, 'dir/file'));
    renameSync(join(root, 'x'), join(root, 'dir/second'));
  },
  'a second name': (root) => linkSync(join(root, 'dir/file'), join(root, 'link')),
  'another target of a symlink': (root) => {
    unlinkSync(join(root, 'symlink'));
    symlinkSync('elsewhere', join(root, 'symlink'));
    lutimesSync(join(root, 'symlink'), 1, 1);
  },
  'a moved directory': (root) => renameSync(join(root, 'dir'), join(root, 'moved')),
};

let base: string;
let stores: string;
let store: DirectoryStore;

async function capture(directory: string, options: Partial<Parameters<typeof captureDirectory>[0]> = {}) {
  const task = Task.silent();
  await using transaction = await store.begin('test', task);
  return await captureDirectory({
    directory: rawPath(directory),
    transaction,
    task,
    remember: { rules, notes: () => 'noted' },
    ...options,
  });
}

const since = (tree: CapturedTree) => ({ previous: { store, digest: tree.manifest.digest } });
/** Bytes that this process, with all its threads, was given by calls that read. */
const readSoFar = () => Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1]);
const directoryOf = (name: string) => join(base, 'trees', String(Object.keys(changes).indexOf(name)));
const large = () => join(base, 'large');

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-unchanged-'));
  // Where there is no disk to wait for.
  stores = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'imprint-unchanged-'));
  store = await DirectoryStore.open(join(stores, 'store'), { create: true });
  for (const name of Object.keys(changes)) {
    const root = directoryOf(name);
    mkdirSync(join(root, 'dir/deep/er'), { recursive: true });
    mkdirSync(join(root, 'empty'));
    writeFileSync(join(root, 'dir/file'), 'content');
    writeFileSync(join(root, 'dir/second'), 'another');
    writeFileSync(join(root, 'dir/deep/er/\u00e4'), name);
    symlinkSync('somewhere', join(root, 'symlink'));
  }
  mkdirSync(large());
  for (let index = 0; index < megabytes; index += 1) writeFileSync(join(large(), `${index}`), randomBytes(1 << 20));
  writeFileSync(join(large(), 'machine-id'), 'secret');
  // A change within two seconds before a look may not show in the times.
  await setTimeout(3100);
});
afterAll(async () => {
  await store.close();
  for (const directory of [base, stores]) rmSync(directory, { recursive: true, force: true });
});

describe('a tree that did not change', () => {
  it('is known by its status alone: no content is read, the same version comes out, notes are told again', async () => {
    const substitute = (path: string) => (path === 'machine-id' ? new Uint8Array(0) : undefined);
    const first = await capture(large(), { substitute });
    expect(first.notes).toBeUndefined();
    const bytes = readSoFar();
    const called: string[] = [];
    const again = await capture(large(), {
      substitute: (path) => {
        called.push(path);
        return substitute(path);
      },
      ...since(first),
    });
    expect(readSoFar() - bytes).toBeLessThan(4 << 20);
    expect(called).toEqual([]);
    expect(again).toEqual({
      ...first,
      stats: { ...first.stats, newChunks: 0, newBytes: 0 },
      unchanged: megabytes + 1,
      notes: 'noted',
    });
    const paranoid = await capture(large(), { substitute });
    expect(paranoid.manifest).toEqual(first.manifest);
    expect(readSoFar() - bytes).toBeGreaterThan(megabytes << 20);
  });

  it('is walked where other rules hold', async () => {
    const first = await capture(large());
    const again = await capture(large(), { ...since(first), remember: { rules: 'others', notes: () => '' } });
    expect(again.notes).toBeUndefined();
    expect(again.unchanged).toBe(megabytes + 1);
    expect(again.manifest).toEqual(first.manifest);
  });

  it.each([
    ['a pack has gone', (files: string[]) => unlinkSync(files.find((name) => name.endsWith('.pack')) ?? '')],
    [
      'a pack is marked as damaged',
      (files: string[]) =>
        writeFileSync(files.find((name) => name.endsWith('.pack'))?.replace(/pack$/, 'damaged') ?? '', ''),
    ],
    [
      'the list of packs has gone',
      (files: string[]) => files.filter((name) => name.endsWith('.packs')).forEach((name) => void unlinkSync(name)),
    ],
  ])('is stored again where %s', async (_, damage) => {
    const own = join(stores, 'own');
    const whole = store;
    store = await DirectoryStore.open(own, { create: true });
    try {
      const first = await capture(large());
      const files = readdirSync(own, { recursive: true, encoding: 'utf8' }).map((name) => join(own, name));
      damage(files);
      const again = await capture(large(), since(first));
      expect(again.notes).toBeUndefined();
      expect(again.manifest).toEqual(first.manifest);
      const third = await capture(large(), since(first));
      expect(third.notes).toBe('noted');
    } finally {
      await store.close();
      store = whole;
      rmSync(own, { recursive: true, force: true });
    }
  });
});

describe('a change', () => {
  it.each(Object.keys(changes))('is found: %s', async (name) => {
    const root = directoryOf(name);
    const first = await capture(root);
    expect((await capture(root, since(first))).notes).toBe('noted');
    changes[name]?.(root);
    const after = await capture(root, since(first));
    expect(after.notes).toBeUndefined();
    // What it makes of the change is what a capture makes that never saw the tree before.
    expect(after.manifest).toEqual((await capture(root)).manifest);
    expect(after.manifest.digest).not.toBe(first.manifest.digest);
  });

  it('of a name costs no content, and the moved file is found by its bytes', async () => {
    const first = await capture(large());
    renameSync(join(large(), '3'), join(large(), 'three'));
    const after = await capture(large(), since(first));
    expect(after.stats).toMatchObject({ newChunks: 0, newBytes: 0 });
  });
});
