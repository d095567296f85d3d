import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { Task } from '../../src/foundation/task.ts';
import type { InPlaceDirection } from '../../src/machine/in-place-journal.ts';
import { setXattr } from '../../src/native/attributes.ts';
import { makeNode } from '../../src/native/nodes.ts';
import {
  applyInPlace,
  applyOrUndo,
  finishInPlace,
  listInPlace,
  undoInPlace,
} from '../../src/operations/update/in-place/apply-in-place.ts';
import { bringRoot } from '../../src/operations/update/in-place/bring-root.ts';
import { requireReachable } from '../../src/operations/update/in-place/match-entry.ts';
import { requireFeasible } from '../../src/operations/update/in-place/plan-in-place.ts';
import { isOther, look, updatePaths } from '../../src/operations/update/in-place/root-paths.ts';
import { stageInPlace } from '../../src/operations/update/in-place/stage-in-place.ts';
import type { UpdateContent } from '../../src/operations/update/update-content.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { namesOnTheWay, runInPlaceScript } from './in-place-script.ts';
import { fetchedVersion, planFor } from './in-place-version.ts';
import { type LoopFileSystem, mountLoop } from './loop-file-system.ts';
import { snapshotDifference, treeSnapshot } from './tree-snapshot.ts';
import { captureTree } from './version-content.ts';

/** Imprint's own, and what a test looks at apart. */
const ours = ['.imprint', 'var/lib/imprint', 'lost+found'];
const beforePath = 'var/lib/imprint/version.json';

let base: string;
let store: DirectoryStore;
let disk: LoopFileSystem;
let one: UpdateContent;
let two: UpdateContent;
let snapshots: { one: string[]; two: string[] };
let count = 0;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-in-place-'));
  store = await DirectoryStore.open(join(base, 'store'), { create: true });
  // No test of the disk: hundreds of syncs need not reach it.
  disk = mountLoop('ext4', 512, 'loop,barrier=0');
  const source = join(disk.path, 'source');
  makeOne(source);
  one = await fetchedVersion(store, await captureTree(store, source), 1);
  makeTwo(source);
  two = await fetchedVersion(store, await captureTree(store, source), 2);
  rmSync(source, { recursive: true });
  snapshots = { one: treeSnapshot(await restored(one), ours), two: treeSnapshot(await restored(two), ours) };
});
afterAll(async () => {
  disk[Symbol.dispose]();
  await store.close();
  rmSync(base, { recursive: true, force: true });
});

describe.skipIf(process.geteuid?.() !== 0)('an update in place', () => {
  it('makes a root exactly the new version, and exactly the old one again', async () => {
    const root = await restored(one);
    const id = await staged(root, two);
    expect(differenceOf('one', root)).toEqual([]);
    expect(readFileSync(join(root, beforePath), 'utf8')).toBe('one');
    expect(applyInPlace(root, id)).toBe(true);
    expect(differenceOf('two', root)).toEqual([]);
    expect(readFileSync(join(root, beforePath), 'utf8')).toBe(two.recordText);
    expect(applyInPlace(root, id)).toBe(false);
    expect(undoInPlace(root, id)).toBe(true);
    expect(differenceOf('one', root)).toEqual([]);
    expect(readFileSync(join(root, beforePath), 'utf8')).toBe('one');
    expect(applyInPlace(root, id)).toBe(true);
    expect(differenceOf('two', root)).toEqual([]);
    expect(listInPlace(root)).toMatchObject([{ id, state: 'new', description: { reference: 'test:2' } }]);
    expect(finishInPlace(root, new Set([id]))).toEqual([]);
    expect(listInPlace(root)).toHaveLength(1);
    expect(finishInPlace(root, new Set())).toEqual([]);
    expect(readdirSync(join(root, '.imprint/in-place'))).toEqual([]);
    expect(differenceOf('two', root)).toEqual([]);
    rmSync(root, { recursive: true });
  });

  it('is ended or undone by any of the two, wherever it was cut', async () => {
    const root = await restored(one);
    const id = await staged(root, two);
    const steps = countSteps(root, id);
    expect(steps).toBeGreaterThan(100);
    // Each step is a place to cut; so is each command of the initramfs, below.
    const random = seeded(7);
    for (let cut = 0; cut < steps; cut += 1) {
      const copy = copied(root);
      cutAfter(copy, id, 'redo', cut);
      // Another cut, on the way forward or back.
      if (cut % 3 === 1) cutAfter(copy, id, random() < 0.5 ? 'undo' : 'redo', Math.floor(random() * steps));
      const direction = cut % 2 === 0 ? 'redo' : 'undo';
      if (cut % 4 < 2) bring(copy, id, direction);
      else expect(runScript(copy, id, direction)).toBe(0);
      expect({ cut, differs: differenceOf(direction === 'redo' ? 'two' : 'one', copy) }).toEqual({ cut, differs: [] });
      rmSync(copy, { recursive: true });
    }
    rmSync(root, { recursive: true });
  });

  it('is ended by the initramfs wherever that was cut, in shells of two kinds', async () => {
    const root = await restored(one);
    const id = await staged(root, two);
    const random = seeded(8);
    for (let cut = 0; cut < 40; cut += 1) {
      const copy = copied(root);
      const shell = cut % 2 === 0 ? ['dash'] : ['busybox', 'sh'];
      if (cut % 3 === 0) cutAfter(copy, id, 'redo', Math.floor(random() * 60));
      const cutScript = runScript(copy, id, 'redo', shell, cut % 12);
      if (cutScript === 0) expect(differenceOf('two', copy)).toEqual([]);
      else takeAway(copy, id, random);
      const direction = random() < 0.5 ? 'redo' : 'undo';
      expect(runScript(copy, id, direction, shell)).toBe(0);
      expect({ cut, differs: differenceOf(direction === 'redo' ? 'two' : 'one', copy) }).toEqual({ cut, differs: [] });
      rmSync(copy, { recursive: true });
    }
    rmSync(root, { recursive: true });
  });

  it('takes with each version what was changed in it', async () => {
    const root = await restored(one);
    const id = await staged(root, two);
    applyInPlace(root, id);
    replace(join(root, 'etc/changed'), 'edited in two\n');
    const later = treeSnapshot(root, ours);
    for (const back of [() => undoInPlace(root, id), () => runScript(root, id, 'undo')]) {
      back();
      expect(differenceOf('one', root)).toEqual([]);
      applyInPlace(root, id);
      expect(snapshotDifference(later, treeSnapshot(root, ours))).toEqual([]);
    }
    rmSync(root, { recursive: true });
  });

  it('is not begun where a path is protected from changes, and is undone by the initramfs all the same', async () => {
    const root = await restored(one);
    const locked = async (path: string) => {
      execFileSync('chattr', ['+i', join(root, path)]);
      const { problems } = await planFor(root, one, two);
      execFileSync('chattr', ['-i', join(root, path)]);
      return problems;
    };
    expect(await locked('etc/changed')).toEqual([expect.stringContaining('/etc/changed is protected')]);
    expect(await locked('etc')).toEqual([expect.stringContaining('/etc is protected')]);
    const id = await staged(root, two);
    applyInPlace(root, id);
    const back = { reference: 'test:1', kernelOptions: [`imprint.journal=undo:${id}`] };
    requireReachable(root, back);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(root, 'etc')]);
    try {
      expect(() => requireReachable(root, back)).toThrow('/etc is a file system of its own');
    } finally {
      execFileSync('umount', [join(root, 'etc')]);
    }
    for (const [flag, path] of [
      ['+i', 'etc/changed'],
      ['+a', 'etc'],
    ] as const)
      execFileSync('chattr', [flag, join(root, path)]);
    expect(() => requireReachable(root, back)).toThrow('/etc is protected');
    expect(runScript(root, id, 'undo')).toBe(0);
    expect(differenceOf('one', root)).toEqual([]);
    expect(() => requireReachable(root, { ...back, kernelOptions: ['imprint.journal=redo:gone'] })).toThrow(
      'no longer',
    );
    rmSync(root, { recursive: true });
  });

  it('that cannot be ended is undone, once the pointer is back', async () => {
    const root = await restored(one);
    const id = await staged(root, two);
    const file = join(root, '.imprint/in-place', id, 'new/etc/changed');
    execFileSync('chattr', ['+i', file]);
    const said: string[] = [];
    const goBack = async () => void said.push(readFileSync(join(root, '.imprint/in-place', id, 'state'), 'utf8'));
    const warn = (message: string) => void said.push(message);
    await expect(applyOrUndo(root, id, { goBack, warn })).rejects.toMatchObject({ code: 'io-failed' });
    execFileSync('chattr', ['-i', file]);
    expect(said).toEqual(['redoing\n']);
    expect(differenceOf('one', root)).toEqual([]);
    expect(listInPlace(root)).toMatchObject([{ id, state: 'old' }]);
    rmSync(root, { recursive: true });
  });

  it('refuses a journal that is not whole, and touches nothing', async () => {
    const root = await restored(one);
    const id = await staged(root, two);
    const journal = join(root, '.imprint/in-place', id, 'journal');
    writeFileSync(journal, readFileSync(journal).subarray(0, -4));
    expect(() => applyInPlace(root, id)).toThrow('not whole');
    expect(runScript(root, id, 'redo')).toBe(1);
    expect(differenceOf('one', root)).toEqual([]);
    // No entry that wants what the root is, or names what is forgotten, is kept from booting.
    expect(runScript(root, id, 'undo')).toBe(0);
    expect(runScript(root, 'never-was', 'redo')).toBe(0);
    rmSync(root, { recursive: true });
  });
});

function differenceOf(version: 'one' | 'two', root: string): string[] {
  return snapshotDifference(snapshots[version], treeSnapshot(root, ours));
}

/** How many changes a redo makes. */
function countSteps(root: string, id: string): number {
  const copy = copied(root);
  let steps = 0;
  const beforeStep = () => {
    steps += 1;
  };
  bringRoot({ paths: updatePaths(copy, id), direction: 'redo', beforeStep });
  expect(differenceOf('two', copy)).toEqual([]);
  rmSync(copy, { recursive: true });
  return steps;
}

function cutAfter(root: string, id: string, direction: InPlaceDirection, steps: number): void {
  let left = steps;
  const beforeStep = () => {
    left -= 1;
    if (left < 0) throw new Error('cut');
  };
  try {
    bringRoot({ paths: updatePaths(root, id), direction, beforeStep });
  } catch (error) {
    if ((error as Error).message !== 'cut') throw error;
  }
}

function bring(root: string, id: string, direction: InPlaceDirection): void {
  bringRoot({ paths: updatePaths(root, id), direction });
}

/** As the initramfs does it; `commands` that are begun before it is cut. Returns its status, −1 where it was cut. */
function runScript(
  root: string,
  id: string,
  direction: InPlaceDirection,
  shell = ['dash'],
  commands = 100_000,
): number {
  const { status, said } = runInPlaceScript(root, id, direction, { shell, commands, counter: join(base, 'commands') });
  if (status > 0 && !/damaged/.test(said)) expect(`${status} ${said}`).toBe('0');
  return status;
}

/** What a cut in the middle of `cp --remove-destination` leaves: a file taken away, and not there again. */
function takeAway(root: string, id: string, random: () => number): void {
  const names = namesOnTheWay(root, id);
  const name = names[Math.floor(random() * names.length)];
  const place = name === undefined ? undefined : join(root, name);
  if (place !== undefined && isOther(look(place))) unlinkSync(place);
}

async function staged(root: string, content: UpdateContent): Promise<string> {
  const plan = await planFor(root, one, content);
  requireFeasible(plan);
  await stageInPlace(plan, content, Task.silent());
  return plan.id;
}

async function restored({ digest }: { digest: Digest }): Promise<string> {
  const target = join(disk.path, `root-${next()}`);
  await restoreTree({ store, version: digest, target, task: Task.silent() });
  writeFileSync(join(target, beforePath), 'one');
  return target;
}

function next(): number {
  count += 1;
  return count;
}

function copied(root: string): string {
  const target = join(disk.path, `copy-${next()}`);
  execFileSync('cp', ['-a', root, target]);
  return target;
}

function replace(path: string, text: string): void {
  writeFileSync(`${path}.tmp`, text);
  renameSync(`${path}.tmp`, path);
}

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

function makeOne(root: string): void {
  for (const directory of [
    'etc/deep/er',
    'usr/lib/gone/inner',
    'usr/bin',
    'turns/inner',
    'var/lib/dpkg',
    'var/lib/imprint',
    'was-directory',
  ])
    mkdirSync(join(root, directory), { recursive: true });
  const file = (path: string, text: string) => writeFileSync(Buffer.from(join(root, path), 'latin1'), text);
  for (let index = 0; index < 12; index += 1) file(`usr/lib/lib-${index}`, `library ${index}`);
  file('etc/changed', 'one\n');
  file('etc/same', 'same\n');
  file('etc/deep/er/config', 'one\n');
  file('etc/attributes', 'attributes\n');
  file('usr/lib/gone/inner/file', 'gone\n');
  file('usr/bin/set-uid', 'set-uid');
  chmodSync(join(root, 'usr/bin/set-uid'), 0o4755);
  file('turns/inner/file', 'in a directory that turns into a link');
  file('was-directory/file', 'in a directory that turns into a file');
  file('becomes-directory', 'a file');
  symlinkSync('usr/bin', join(root, 'bin'));
  symlinkSync('one', join(root, 'etc/link'));
  for (const name of ['line\nbreak', 'back\\slash', ' spaces ', '-rf', '*', 'quote"\'$(x)', '\xff\xfe', '.hidden'])
    file(`etc/deep/${name}`, `one of ${name}`);
  file('usr/lib/hard-1', 'hard');
  linkSync(join(root, 'usr/lib/hard-1'), join(root, 'usr/lib/hard-2'));
  file('usr/lib/pair-1', 'pair');
  linkSync(join(root, 'usr/lib/pair-1'), join(root, 'usr/lib/pair-2'));
  makeNode(rawPath(join(root, 'usr/lib/device')), 0o020000, 0o600, 1, 3);
  makeNode(rawPath(join(root, 'usr/lib/fifo')), 0o010000, 0o600);
  setXattr(rawPath(join(root, 'etc/attributes')), 'user.one', Buffer.from('one'));
  setXattr(rawPath(join(root, 'etc/deep')), 'user.one', Buffer.from('one'));
  file('var/lib/dpkg/status', 'packages of one\n');
  for (const [path, mode] of [
    ['var/loses', 0o2775],
    ['var/gets', 0o755],
  ] as const) {
    mkdirSync(join(root, path));
    chownSync(join(root, path), 0, 50);
    chmodSync(join(root, path), mode);
  }
}

function makeTwo(root: string): void {
  const file = (path: string, text: string) => {
    rmSync(Buffer.from(join(root, path), 'latin1'), { force: true });
    writeFileSync(Buffer.from(join(root, path), 'latin1'), text);
  };
  for (let index = 0; index < 12; index += 2) file(`usr/lib/lib-${index}`, `library ${index} of two`);
  file('etc/changed', 'two\n');
  file('etc/deep/er/config', 'two\n');
  rmSync(join(root, 'usr/lib/gone'), { recursive: true });
  file('usr/bin/set-uid', 'set-uid of two');
  chownSync(join(root, 'usr/bin/set-uid'), 1, 2);
  chmodSync(join(root, 'usr/bin/set-uid'), 0o6755);
  rmSync(join(root, 'turns'), { recursive: true });
  symlinkSync('usr/lib', join(root, 'turns'));
  rmSync(join(root, 'was-directory'), { recursive: true });
  file('was-directory', 'now a file');
  rmSync(join(root, 'becomes-directory'));
  mkdirSync(join(root, 'becomes-directory/inner'), { recursive: true });
  file('becomes-directory/inner/file', 'two');
  unlinkSync(join(root, 'bin'));
  mkdirSync(join(root, 'bin'));
  file('bin/set-uid', 'behind what was a link');
  unlinkSync(join(root, 'etc/link'));
  symlinkSync('two', join(root, 'etc/link'));
  for (const name of ['line\nbreak', ' spaces ', '*', '\xff\xfe']) file(`etc/deep/${name}`, `two of ${name}`);
  for (const name of ['back\\slash', '-rf']) rmSync(join(root, `etc/deep/${name}`));
  file('etc/deep/new\nname', 'two');
  unlinkSync(join(root, 'usr/lib/hard-2'));
  file('usr/lib/hard-2', 'a file of its own');
  file('usr/lib/pair-1', 'pair of two');
  unlinkSync(join(root, 'usr/lib/pair-2'));
  linkSync(join(root, 'usr/lib/pair-1'), join(root, 'usr/lib/pair-2'));
  linkSync(join(root, 'usr/lib/pair-1'), join(root, 'usr/lib/pair-3'));
  rmSync(join(root, 'usr/lib/device'));
  makeNode(rawPath(join(root, 'usr/lib/device')), 0o020000, 0o600, 1, 5);
  setXattr(rawPath(join(root, 'etc/attributes')), 'user.two', Buffer.from('two'));
  setXattr(rawPath(join(root, 'etc/deep')), 'user.one', Buffer.from('two'));
  chmodSync(join(root, 'etc/deep'), 0o750);
  mkdirSync(join(root, 'var/lib/service'));
  file('var/lib/service/new', 'a new service');
  file('var/lib/dpkg/status', 'packages of two\n');
  chmodSync(join(root, 'var/loses'), 0o755);
  chmodSync(join(root, 'var/gets'), 0o3777);
}
