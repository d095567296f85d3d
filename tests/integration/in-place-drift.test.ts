import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { conflictWarnings, describeDrift } from '../../src/operations/update/drift.ts';
import { applyInPlace, undoInPlace } from '../../src/operations/update/in-place/apply-in-place.ts';
import type { InPlacePlan } from '../../src/operations/update/in-place/in-place-plan.ts';
import { requireOneFileSystem } from '../../src/operations/update/in-place/other-file-systems.ts';
import { requireFeasible } from '../../src/operations/update/in-place/plan-in-place.ts';
import { stageInPlace } from '../../src/operations/update/in-place/stage-in-place.ts';
import { keepConfiguration } from '../../src/operations/update/kept-configuration.ts';
import { listUnmerged } from '../../src/operations/update/show-slots.ts';
import type { UpdateContent } from '../../src/operations/update/update-content.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { restoreTree } from '../../src/tree/restore-tree.ts';
import { fetchedVersion, planFor } from './in-place-version.ts';
import { captureTree } from './version-content.ts';

let base: string;
let store: DirectoryStore;
let one: UpdateContent;
let two: UpdateContent;
let root: string;
let count = 0;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-drift-'));
  store = await DirectoryStore.open(join(base, 'store'), { create: true });
  const source = join(base, 'source');
  write(source, {
    'etc/merged': 'a\nb\nc\nd\n',
    'etc/conflict': 'x\n',
    'etc/mine': 'mine\n',
    'etc/passwd': 'root:x:0:0\n_apt:x:42:1\n',
    'etc/hostname': 'golden\n',
    'etc/dropped': 'dropped\n',
    'usr/bin/tool': 'tool one\n',
    'usr/bin/patched': 'patched one\n',
    'usr/share/plain': 'plain\n',
    'usr/share/old/data': 'data\n',
    'opt/app/file': 'app one\n',
    'var/lib/dpkg/status': 'one\n',
    'home/README': 'home\n',
    'lib/turn/inner': 'inner\n',
    'dev/left': 'left by whoever made the image\n',
  });
  one = await fetchedVersion(store, await captureTree(store, source), 1);
  rmSync(join(source, 'usr/share/old'), { recursive: true });
  rmSync(join(source, 'etc/dropped'));
  write(source, {
    'etc/merged': 'a\nb\nc\nD\n',
    'etc/conflict': 'y\n',
    'etc/passwd': 'root:x:0:0\n_apt:x:42:1\n_new:x:43:1\n',
    'etc/hostname': 'other golden\n',
    'usr/bin/tool': 'tool two\n',
    'usr/bin/patched': 'patched two\n',
    'opt/app/file': 'app two\n',
    'var/lib/dpkg/status': 'two\n',
    'var/lib/service/state': 'fresh\n',
    'home/README': 'home two\n',
    'dev/left': 'left by another\n',
  });
  two = await fetchedVersion(store, await captureTree(store, source), 2);
});
afterAll(async () => {
  await store.close();
  rmSync(base, { recursive: true, force: true });
});
beforeEach(async () => {
  count += 1;
  root = join(base, `root-${count}`);
  await restoreTree({ store, version: one.digest, target: root, task: Task.silent() });
  return () => rmSync(root, { recursive: true, force: true });
});

describe.skipIf(process.geteuid?.() !== 0)('what a machine changed in its version', () => {
  it('is merged where it is configuration, and overwritten where it is not', async () => {
    await keepConfiguration({ digest: one.digest, manifestFile: one.manifestFile, root });
    expect(statSync(join(root, 'var/lib/imprint/configuration')).mode & 0o777).toBe(0o600);
    drift();
    const plan = await planFor(root, one, two);
    expect(plan.drift.map(describeDrift)).toEqual([
      { path: '/etc/added', change: 'added', action: 'stays' },
      {
        path: '/etc/conflict',
        change: 'changed (content)',
        action: 'kept, the version’s put at /var/lib/imprint/unmerged/etc/conflict: both changed line 1',
      },
      { path: '/etc/merged', change: 'changed (content)', action: 'merged' },
      { path: '/etc/mine', change: 'changed (content)', action: 'kept' },
      { path: '/etc/passwd', change: 'changed (content)', action: 'merged' },
      { path: '/usr/bin/patched', change: 'changed (attributes, content)', action: 'overwritten' },
    ]);
    await apply(plan);
    expect(
      contents('etc/merged', 'etc/conflict', 'var/lib/imprint/unmerged/etc/conflict', 'etc/mine', 'etc/added'),
    ).toEqual(['A\nb\nc\nD\n', 'z\n', 'y\n', 'edited\n', 'added\n']);
    expect(contents('etc/passwd', 'usr/bin/patched', 'usr/bin/tool')).toEqual([
      'root:x:0:0\n_apt:x:42:1\nann:x:1000:1000\n_new:x:43:1\n',
      'patched two\n',
      'tool two\n',
    ]);
    undoInPlace(root, plan.id);
    expect(contents('etc/merged', 'etc/conflict', 'var/lib/imprint/unmerged/etc/conflict', 'usr/bin/patched')).toEqual([
      'A\nb\nc\nd\n',
      'z\n',
      undefined,
      'patched here\n',
    ]);
  });

  it('is put where no program looks that takes every file of a directory, and people are told', async () => {
    await keepConfiguration({ digest: one.digest, manifestFile: one.manifestFile, root });
    drift();
    const plan = await planFor(root, one, two);
    const before = readdirSync(join(root, 'etc'));
    expect(conflictWarnings(plan.drift)).toEqual([
      '/etc/conflict stays as it is here (both changed line 1); the version’s is /var/lib/imprint/unmerged/etc/conflict',
    ]);
    await apply(plan);
    expect(readdirSync(join(root, 'etc')).filter((name) => !before.includes(name))).toEqual([]);
    expect(await listUnmerged(root)).toEqual(['/var/lib/imprint/unmerged/etc/conflict']);
    // For root alone: /etc may have directories that others must not look into.
    expect(statSync(join(root, 'var/lib/imprint/unmerged')).mode & 0o777).toBe(0o700);
    undoInPlace(root, plan.id);
    expect(existsSync(join(root, 'var/lib/imprint/unmerged'))).toBe(false);
  });

  it('is merged again at the next update, from what the version before had', async () => {
    await keepConfiguration({ digest: one.digest, manifestFile: one.manifestFile, root });
    drift();
    await apply(await planFor(root, one, two));
    // Back to one as an update of its own.
    const back = await planFor(root, two, one);
    expect(back.drift.find(({ path }) => path === 'etc/merged')?.choice).toBe('merge');
    await apply(back);
    expect(contents('etc/merged', 'etc/mine')).toEqual(['A\nb\nc\nd\n', 'edited\n']);
  });

  it('is put beside where what it was before is not known', async () => {
    drift();
    const plan = await planFor(root, one, two);
    expect(plan.drift.find(({ path }) => path === 'etc/merged')?.conflict).toMatch('not known here');
  });

  it('is kept, or overwritten, as told', async () => {
    drift();
    const kept = await planFor(root, one, two, { drift: 'keep' });
    await apply(kept);
    expect(contents('etc/merged', 'usr/bin/patched', 'usr/bin/tool', 'var/lib/imprint/unmerged/etc/conflict')).toEqual([
      'A\nb\nc\nd\n',
      'patched here\n',
      'tool two\n',
      undefined,
    ]);
    undoInPlace(root, kept.id);
    await apply(await planFor(root, one, two, { drift: 'overwrite' }));
    expect(contents('etc/merged', 'etc/mine', 'usr/bin/patched', 'etc/added')).toEqual([
      'a\nb\nc\nD\n',
      'mine\n',
      'patched two\n',
      'added\n',
    ]);
  });

  it('is left alone where it is the machine’s own; what is new there is added', async () => {
    write(root, {
      'etc/hostname': 'web01\n',
      'home/ann/file': 'hers\n',
      'home/README': 'mine\n',
      'opt/app/file': 'x\n',
    });
    await apply(await planFor(root, one, two, { drift: 'overwrite', keep: ['/opt/app'] }));
    expect(contents('etc/hostname', 'home/ann/file', 'home/README', 'opt/app/file')).toEqual([
      'web01\n',
      'hers\n',
      'mine\n',
      'x\n',
    ]);
    expect(contents('var/lib/dpkg/status', 'var/lib/service/state')).toEqual(['two\n', 'fresh\n']);
    await expect(planFor(root, one, two, { keep: ['/x['] })).rejects.toMatchObject({ code: 'input-invalid' });
  });

  it('is not gone behind where a directory became a link elsewhere', async () => {
    mkdirSync(join(base, 'elsewhere'), { recursive: true });
    renameSync(join(root, 'opt/app'), join(base, 'elsewhere/app'));
    symlinkSync(join(base, 'elsewhere/app'), join(root, 'opt/app'));
    const plan = await planFor(root, one, two);
    expect(plan.warnings).toEqual(['/opt/app stays as it is: the machine has something else there']);
    await apply(plan);
    expect(readFileSync(join(base, 'elsewhere/app/file'), 'utf8')).toBe('app one\n');
    rmSync(join(base, 'elsewhere'), { recursive: true });
  });

  it.each([
    ['opt', [], ['/opt is a file system of its own and the version changes what is in it']],
    ['opt', ['/opt'], []],
    ['usr', [], ['/usr is a file system of its own and the version changes what is in it']],
    ['home', [], []],
    ['usr/share', [], ['/usr/share is a file system of its own and the version changes what is in it']],
    ['dev', [], []],
    ['var', ['/var/**'], ['/var is a file system of its own and holds /var/lib/imprint']],
    [
      'var',
      [],
      [
        '/var is a file system of its own and holds /var/lib/imprint',
        '/var is a file system of its own and the version changes what is in it',
      ],
    ],
  ])('is refused where /%s is a file system of its own, kept %j: %j', async (path, keep, problems) => {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(root, path)]);
    try {
      const plan = await planFor(root, one, two, { keep });
      const rest = ', but an update in place changes only that of the root';
      expect(plan.problems).toEqual(problems.map((problem) => `${problem}${rest}`));
      expect(plan.paths.filter((planned) => planned.path.startsWith(`${path}/`))).toEqual([]);
      if (problems.length > 0) expect(() => requireFeasible(plan)).toThrow(/cannot become test:2 in place/);
      // Without a manifest, before anything is fetched.
      const early = () => requireOneFileSystem(root, 'test:2');
      if (path === 'var') expect(early).toThrow(expect.objectContaining({ code: 'in-place-unfit' }));
      else early();
      expect(existsSync(join(root, '.imprint'))).toBe(false);
    } finally {
      execFileSync('umount', [join(root, path)]);
    }
  });

  it('refuses where something of the machine is in a directory that becomes a link', async () => {
    const source = join(base, 'turned');
    await restoreTree({ store, version: one.digest, target: source, task: Task.silent() });
    rmSync(join(source, 'lib'), { recursive: true });
    symlinkSync('usr/lib', join(source, 'lib'));
    const turned = await fetchedVersion(store, await captureTree(store, source), 3);
    expect((await planFor(root, one, turned)).problems).toEqual([]);
    write(root, { 'lib/turn/local': 'local\n' });
    const plan = await planFor(root, one, turned);
    expect(plan.problems).toEqual(['/lib/turn/local is the machine’s, and /lib becomes something else']);
    expect(() => requireFeasible(plan)).toThrow(/cannot become test:3 in place/);
  });

  it('refuses before anything is written where there is no room', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32M', 'tmpfs', root]);
    try {
      await restoreTree({ store, version: one.digest, target: root, task: Task.silent() });
      const plan = await planFor(root, one, two);
      expect(plan.problems).toEqual([expect.stringMatching(/^it needs .* are free$/)]);
      // And where it turns out on the way, nothing is left.
      execFileSync('sh', ['-c', `head -c 40M /dev/zero > ${join(root, 'full')} || true`], { stdio: 'ignore' });
      await expect(stageInPlace(plan, two, Task.silent())).rejects.toMatchObject({ code: 'disk-full' });
      expect(existsSync(join(root, '.imprint/in-place', plan.id))).toBe(false);
    } finally {
      execFileSync('umount', [root]);
    }
  });
});

function drift(): void {
  replace('etc/merged', 'A\nb\nc\nd\n');
  replace('etc/conflict', 'z\n');
  replace('etc/mine', 'edited\n');
  replace('etc/passwd', 'root:x:0:0\n_apt:x:42:1\nann:x:1000:1000\n');
  replace('usr/bin/patched', 'patched here\n');
  chmodSync(join(root, 'usr/bin/patched'), 0o755);
  rmSync(join(root, 'usr/share/old/data'));
  write(root, { 'etc/added': 'added\n' });
}

async function apply(plan: InPlacePlan): Promise<void> {
  requireFeasible(plan);
  const content = plan.to === two.digest ? two : one;
  await stageInPlace(plan, content, Task.silent());
  expect(applyInPlace(root, plan.id)).toBe(true);
}

function replace(path: string, text: string): void {
  write(root, { [`${path}.tmp`]: text });
  renameSync(join(root, `${path}.tmp`), join(root, path));
}

function contents(...paths: string[]): (string | undefined)[] {
  return paths.map((path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined));
}

function write(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}
