import { mkdtempSync, rmSync } from 'node:fs';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { leftBehind } from '../../src/operations/update/left-behind.ts';
import { keepObject, latestObject, layObject } from '../../src/operations/update/object-state.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { captureTree } from './version-content.ts';

let base: string;
let root: string;
let stateDirectory: string;

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-object-'));
  root = join(base, 'root');
  stateDirectory = join(base, 'state/object');
  for (const path of ['etc/ssh', 'etc/network/interfaces.d', 'opt/app'])
    await mkdir(join(root, path), { recursive: true });
  await writeFile(join(root, 'etc/hostname'), 'web01\n');
  await writeFile(join(root, 'etc/hosts'), '127.0.0.1 localhost\n');
  await writeFile(join(root, 'etc/ssh/ssh_host_rsa_key'), 'secret', { mode: 0o600 });
  await writeFile(join(root, 'etc/ssh/sshd_config'), 'of the version');
  await symlink('../run/resolv.conf', join(root, 'etc/resolv.conf'));
  await writeFile(join(root, 'opt/app/state'), 'one');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const keep = (known?: Parameters<typeof keepObject>[0]['known'], objects?: number) =>
  keepObject({
    ...{ root, stateDirectory, carry: ['/opt/app'], clock: systemClock },
    ...(known === undefined ? {} : { known }),
    ...(objects === undefined ? {} : { keep: objects }),
  });

describe.skipIf(process.geteuid?.() !== 0)('what makes a machine itself', () => {
  it('is kept once for each change, ten times, and nothing else is', async () => {
    const first = await keep();
    expect(first.number).toBe(1);
    expect(first.entries.map(({ path }) => path)).toEqual(
      [
        ...[
          'etc',
          'etc/hostname',
          'etc/hosts',
          'etc/network',
          'etc/network/interfaces.d',
          'etc/resolv.conf',
          'etc/ssh',
        ],
        ...['etc/ssh/ssh_host_rsa_key', 'opt', 'opt/app', 'opt/app/state'],
      ].filter((path) => !path.startsWith('etc/network')),
    );
    expect((await keep()).number).toBe(1);
    for (let number = 2; number <= 12; number += 1) {
      await writeFile(join(root, 'opt/app/state'), `number ${number}`);
      expect((await keep()).number).toBe(number);
    }
    const names = (await readdir(stateDirectory)).filter((name) => name !== 'latest').map(Number);
    expect(names.sort((left, right) => left - right)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(await readlink(join(stateDirectory, 'latest'))).toBe('12');
    expect((await latestObject(stateDirectory))?.number).toBe(12);
    // What did not change is there once.
    expect((await stat(join(stateDirectory, '12/tree/etc/hostname'))).nlink).toBe(10);
    expect((await stat(stateDirectory)).mode & 0o777).toBe(0o700);
  });

  it('leaves to the version what is as the version has it', async () => {
    const store = await DirectoryStore.open(join(base, 'store'), { create: true });
    const digest = await captureTree(store, root);
    await writeFile(join(root, 'etc/hostname'), 'web02\n');
    await chmod(join(root, 'opt/app/state'), 0o600);
    const { entries } = await keep({ entries: () => store.entries(digest) });
    expect(entries.map(({ path }) => path)).toEqual(['etc', 'etc/hostname', 'opt', 'opt/app', 'opt/app/state']);
    await store.close();
  });

  it('is not all that people would miss: the rest is named', async () => {
    const store = await DirectoryStore.open(join(base, 'store'), { create: true });
    await mkdir(join(root, 'home/ann'), { recursive: true });
    await writeFile(join(root, 'home/ann/of the version'), 'x');
    const digest = await captureTree(store, root);
    await writeFile(join(root, 'home/ann/thesis'), 'xyz');
    await writeFile(join(root, 'home/ann/.bash_history'), 'ls');
    await writeFile(join(root, 'opt/app/more'), 'carried');
    const known = { entries: () => store.entries(digest) };
    expect(await leftBehind(root, known, await keep(known))).toEqual(['/home (1 file, 3 B)']);
    await store.close();
  });

  it('is laid over another root, with all attributes, and never behind a link', async () => {
    await chown(join(root, 'opt/app/state'), 1234, 4321);
    const object = await keep();
    const target = join(base, 'target');
    const outside = join(base, 'outside');
    await mkdir(join(target, 'etc'), { recursive: true });
    await mkdir(outside);
    await chmod(join(target, 'etc'), 0o711);
    await symlink(outside, join(target, 'opt'));
    await symlink('/etc/passwd', join(target, 'etc/hostname'));
    await mkdir(join(target, 'etc/resolv.conf'));
    await writeFile(join(target, 'etc/resolv.conf/x'), '');
    await layObject(object, target, 'owner');
    expect(await readFile(join(target, 'etc/hostname'), 'utf8')).toBe('web01\n');
    expect((await lstat(join(target, 'etc/hostname'))).isFile()).toBe(true);
    expect((await stat(join(target, 'etc'))).mode & 0o777).toBe(0o711);
    expect(await readlink(join(target, 'etc/resolv.conf'))).toBe('../run/resolv.conf');
    expect(await readdir(outside)).toEqual([]);
    expect(await stat(join(target, 'opt/app/state'))).toMatchObject({ uid: 1234, gid: 4321 });
    expect((await stat(join(target, 'etc/ssh/ssh_host_rsa_key'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(target, 'var/lib/imprint/object'), 'utf8')).toBe('owner 1\n');
  });

  it('that was cut while it was written does not count', async () => {
    await keep();
    await mkdir(join(stateDirectory, '2'));
    await mkdir(join(stateDirectory, '.new/tree'), { recursive: true });
    await writeFile(join(stateDirectory, '.new/tree/x'), '');
    expect((await latestObject(stateDirectory))?.number).toBe(1);
    await rm(join(root, 'opt/app/state'));
    expect((await keep()).number).toBe(3);
    expect(await readdir(stateDirectory)).not.toContain('.new');
  });
});
