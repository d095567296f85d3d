import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BuildInput } from '../../src/contract/operations/builds.ts';
import type { Digest } from '../../src/foundation/brand.ts';
import { Task, type TaskEvent } from '../../src/foundation/task.ts';
import type { Entry } from '../../src/image/entry.ts';
import { buildImage } from '../../src/operations/build/build-image.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { catFile } from '../../src/operations/cat-file.ts';
import { createContext } from '../../src/operations/context.ts';
import { listEdits } from '../../src/operations/edit/manage-edits.ts';
import { silentLog } from '../../src/operations/log.ts';
import { makeBusyboxTree } from './busybox-tree.ts';

let scratch: string;
let data: string;
let events: TaskEvent[];

/** Where a package would be installed, what was asked for is written down. */
const packageManager =
  '#!/bin/sh\necho "$@" >> /installed\ncase "$*" in *broken*) echo no such package >&2; exit 100 ;; esac\n';

async function build(recipe: string, options: Partial<BuildInput> = {}) {
  const file = join(scratch, 'recipe/web.yaml');
  await writeFile(file, recipe);
  await using context = createContext({ data, log: silentLog });
  events = [];
  return await Task.run(
    'build',
    (event) => events.push(event),
    (task) => buildImage(context, { recipe: file, keep: false, ...options }, { environment: {}, say: () => {} }, task),
  );
}

async function contentOf(reference: string, path: string): Promise<string> {
  await using context = createContext({ data, log: silentLog });
  const parts: Uint8Array[] = [];
  for await (const part of catFile(context, { reference, path }, Task.silent())) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function entriesOf(reference: string): Promise<Map<string, Entry>> {
  await using context = createContext({ data, log: silentLog });
  const store = await context.store();
  const found = new Map<string, Entry>();
  const { digest } = (await store.resolve(reference)).record;
  for await (const entries of store.entries(digest as Digest))
    for (const entry of entries) found.set(entry.path, entry);
  return found;
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'imprint-build-'));
  data = join(scratch, 'data');
  const tree = join(scratch, 'tree');
  await makeBusyboxTree(tree, {
    'usr/bin/apt-get': packageManager,
    'etc/passwd': 'root:x:0:0::/root:/bin/sh\nwww:x:33:33::/:/bin/sh\n',
    'etc/group': 'root:x:0:\nadm:x:4:\n',
  });
  await symlink('usr', join(tree, 'alias'));
  // Of this machine it would be another place.
  await symlink('/usr/share', join(tree, 'absolute'));
  const overlay = join(scratch, 'recipe/overlay');
  await mkdir(join(overlay, 'etc/demo.d'), { recursive: true });
  await mkdir(join(overlay, 'alias/share'), { recursive: true });
  await writeFile(join(overlay, 'etc/demo.d/tool'), 'a tool\n');
  await chmod(join(overlay, 'etc/demo.d/tool'), 0o755);
  await symlink('tool', join(overlay, 'etc/demo.d/link'));
  await writeFile(join(overlay, 'alias/share/x'), 'through a link\n');
  await mkdir(join(overlay, 'absolute/imprint-test'), { recursive: true });
  await writeFile(join(overlay, 'absolute/imprint-test/x'), 'through a link\n');
  await writeFile(join(scratch, 'recipe/setup.sh'), '#!/bin/sh\necho "$SOURCE_DATE_EPOCH" > /epoch\n');
  await using context = createContext({ data, log: silentLog });
  await captureImage(context, { source: tree, name: 'base' }, Task.silent());
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const recipe = [
  'name: web',
  'tag: nightly',
  'base: { image: base }',
  'packages: [nginx, curl]',
  'files:',
  '  - { path: /etc/motd, content: "hello\\n", mode: 640, owner: www, group: adm }',
  '  - { path: /, source: overlay }',
  '  - { path: /etc/early, content: early, early: true }',
  '  - { path: /srv/a/b, directory: true, mode: 2775 }',
  '  - { path: /etc/zone, link: /usr/share/zone }',
  'scripts:',
  '  - test "$(cat /installed | grep -c install)" = 1; echo said; rm /installed',
  '  - file: setup.sh',
  'excludes: [/etc/early]',
  'epoch: 1700000000',
].join('\n');

describe('imprint build', () => {
  it('installs packages, lays files, runs scripts, and makes a version', async () => {
    const output = await build(recipe);
    expect(output).toMatchObject({ outcome: 'committed', reference: 'web:1', tags: ['nightly'], signed: true });
    expect(events.filter(({ kind, message }) => kind === 'log' && message === 'said')).toHaveLength(1);
    const entries = await entriesOf('web');
    expect(entries.get('etc/motd')).toMatchObject({ mode: 0o640, uid: 33, gid: 4, mtime: { seconds: 1_700_000_000 } });
    expect(entries.get('etc/demo.d/tool')).toMatchObject({ mode: 0o755, uid: 0 });
    expect(entries.get('etc/demo.d/link')).toMatchObject({
      type: 'symlink',
      target: 'tool',
      mtime: { seconds: 1_700_000_000 },
    });
    // The directory that is a link in the tree stays one.
    expect(entries.get('alias')?.type).toBe('symlink');
    expect(entries.get('usr/share/x')?.type).toBe('file');
    expect(entries.get('absolute')?.type).toBe('symlink');
    expect(entries.get('usr/share/imprint-test/x')?.type).toBe('file');
    expect(existsSync('/usr/share/imprint-test')).toBe(false);
    expect(entries.get('srv/a/b')).toMatchObject({ type: 'directory', mode: 0o2775 });
    expect(entries.get('etc/zone')).toMatchObject({ target: '/usr/share/zone' });
    expect(entries.has('etc/early')).toBe(false);
    expect(entries.has('usr/sbin/policy-rc.d')).toBe(false);
    expect(await contentOf('web', '/epoch')).toBe('1700000000\n');
  });

  it('makes no second version of the same', async () => {
    expect(await build(recipe)).toMatchObject({ outcome: 'unchanged', reference: 'web:1' });
    expect(await build(recipe.replace('hello', 'other'))).toMatchObject({ outcome: 'committed', reference: 'web:2' });
  });

  it('makes none where a step fails, and keeps its tree only if asked', async () => {
    const broken = 'name: failing\nbase: { image: base }\npackages: [broken]\n';
    await expect(build(broken)).rejects.toMatchObject({ code: 'build-failed' });
    expect(events.some(({ message }) => message === 'no such package')).toBe(true);
    await expect(
      build('name: failing\nbase: { image: base }\nscripts: ["false; true"]\n', { keep: true }),
    ).rejects.toMatchObject({
      code: 'build-failed',
      details: { step: 'script 1 of 1', status: 1 },
    });
    await using context = createContext({ data, log: silentLog });
    expect((await listEdits(context)).edits).toMatchObject([{ base: 'base:1', image: 'failing', busy: false }]);
    expect(await readdir(join(data, 'edits'))).toHaveLength(1);
  });

  it('refuses what is not there before it makes anything', async () => {
    const on = 'name: web\nbase: { image: base }\n';
    await expect(build(`${on}scripts: [{ file: nothing.sh }]`)).rejects.toMatchObject({ code: 'recipe-invalid' });
    await expect(build(`${on}files: [{ path: /x, source: nothing }]`)).rejects.toMatchObject({
      code: 'recipe-invalid',
    });
    await expect(build(`${on}files: [{ path: /x, content: y, owner: nobody }]`)).rejects.toMatchObject({
      code: 'recipe-invalid',
    });
    await expect(build('name: web\nbase: { image: nothing }')).rejects.toMatchObject({ code: 'image-not-found' });
    await expect(build('name: web\nbase: { suite: bookworm, extra: x }')).rejects.toMatchObject({
      code: 'recipe-invalid',
      message: expect.stringContaining('web.yaml:2:26'),
    });
  });
});
