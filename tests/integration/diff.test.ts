import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageBlame, ImageDiff } from '../../src/contract/operations/comparisons.ts';

const launcher = join(import.meta.dirname, '../../imprint');
const header = join(import.meta.dirname, '../fixtures/packages/hello.rpm-header');
let scratch: string;
let tree: string;

const imprint = async (...words: string[]) =>
  (
    await promisify(execFile)(launcher, ['--data', join(scratch, 'data'), ...words], {
      maxBuffer: 1 << 26,
      env: { ...process.env, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' },
    })
  ).stdout;
const json = async <Value>(...words: string[]) => JSON.parse(await imprint(...words, '--json')) as Value;

async function write(path: string, content: string | Buffer): Promise<void> {
  await mkdir(join(tree, path, '..'), { recursive: true });
  await writeFile(join(tree, path), content);
}

const nginx = (version: string) =>
  `Package: nginx\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\n\nPackage: base\nStatus: install ok installed\nArchitecture: all\nVersion: 12\n`;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'imprint-diff-'));
  tree = join(scratch, 'tree');
  await mkdir(join(tree, 'usr/lib'), { recursive: true });
  await symlink('usr/lib', join(tree, 'lib'));
  await write('var/lib/dpkg/status', nginx('1.22.1-9'));
  await write('var/lib/dpkg/info/nginx.list', '/.\n/usr\n/usr/sbin\n/usr/sbin/nginx\n/lib/nginx.so\n/etc/nginx.conf\n');
  await write('var/lib/dpkg/info/base.list', '/etc/issue\n');
  await write('usr/sbin/nginx', Buffer.alloc(5000, 1));
  await write('usr/lib/nginx.so', Buffer.alloc(900, 2));
  await write('etc/nginx.conf', 'worker 1;\nlisten 80;\n# end\n');
  await write('etc/issue', 'Debian\n');
  await write('srv/old-name', 'moves away');
  await write('etc/touched', 'same');
  await imprint('capture', tree, '--name', 'web', '--message', 'the first');

  await write('var/lib/dpkg/status', nginx('1.22.1-9+deb12u10'));
  await write('usr/sbin/nginx', Buffer.concat([Buffer.from('\x7fELF\0'), Buffer.alloc(5095, 3)]));
  await write('usr/lib/nginx.so', Buffer.alloc(900, 4));
  await chmod(join(tree, 'etc/issue'), 0o600);
  await rename(join(tree, 'srv/old-name'), join(tree, 'srv/new-name'));
  await utimes(join(tree, 'etc/touched'), 1, 1);
  await imprint('capture', tree, '--name', 'web', '--message', 'a security update');

  await write('etc/nginx.conf', 'worker 1;\nlisten 8080;\n# end\n');
  await imprint('capture', tree, '--name', 'web', '--message', 'another port');
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('image diff', () => {
  it('names the package that changed, and whose each path is', async () => {
    const diff = await json<ImageDiff>('image', 'diff', 'web:1', 'web:2');
    expect(diff.packages).toEqual([
      {
        manager: 'dpkg',
        name: 'nginx',
        architecture: 'amd64',
        id: 'nginx',
        before: '1.22.1-9',
        after: '1.22.1-9+deb12u10',
        paths: 2,
      },
    ]);
    const byPath = new Map(diff.changes.map((change) => [change.path, change]));
    expect(byPath.get('usr/sbin/nginx')).toMatchObject({
      kind: 'changed',
      package: 'nginx',
      sizeBefore: 5000,
      sizeAfter: 5100,
    });
    // Its list says /lib/nginx.so: /lib is a link.
    expect(byPath.get('usr/lib/nginx.so')).toMatchObject({ package: 'nginx' });
    expect(byPath.get('etc/issue')).toMatchObject({
      package: 'base',
      attributes: [{ attribute: 'mode', before: '0644', after: '0600' }],
    });
    expect(byPath.get('srv/new-name')).toMatchObject({ kind: 'moved', from: 'srv/old-name' });
    expect([...byPath.keys()]).not.toContain('etc/touched');
    expect(diff.onlyTimes).toBeGreaterThan(0);
  });

  it('for people: packages first, then what no package explains', async () => {
    const text = await imprint('image', 'diff', 'web:1', 'web:2');
    expect(text).toContain('~ nginx 1.22.1-9 → 1.22.1-9+deb12u10  (2 paths)');
    expect(text).toContain('M etc/issue  mode rw-r--r-- → rw-------  [base]');
    expect(text).toContain('R srv/old-name → srv/new-name');
    expect(text).not.toContain('usr/sbin/nginx');
    expect(await imprint('image', 'diff', 'web:1', 'web:2', '--all')).toContain('M usr/sbin/nginx');
  });

  it('compares with the version before, below a path, and with times', async () => {
    const diff = await json<ImageDiff>('image', 'diff', 'web', '--path', '/etc');
    expect(diff).toMatchObject({ from: { reference: 'web:2' }, to: { reference: 'web:3' }, packages: [] });
    expect(diff.changes.map(({ path }) => path)).toEqual(['etc/nginx.conf']);
    const times = await json<ImageDiff>('image', 'diff', 'web:1', 'web:2', '--times', '--path', 'etc/touched');
    expect(times.changes.map(({ attributes }) => attributes.map(({ attribute }) => attribute))).toEqual([['mtime']]);
    expect((await json<ImageDiff>('image', 'diff', 'web:2', 'web:2')).changes).toEqual([]);
    await expect(json('image', 'diff', 'web', '--path', '/ect')).rejects.toMatchObject({ code: 3 });
  });

  it('knows the packages of an rpm database', async () => {
    const database = new DatabaseSync(join(scratch, 'rpmdb.sqlite'));
    database.exec('CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)');
    database.prepare('INSERT INTO Packages (blob) VALUES (?)').run(await readFile(header));
    database.close();
    const bare = join(scratch, 'bare');
    await mkdir(join(bare, 'var/lib/rpm'), { recursive: true });
    await imprint('capture', bare, '--name', 'rpm');
    await writeFile(join(bare, 'var/lib/rpm/rpmdb.sqlite'), await readFile(join(scratch, 'rpmdb.sqlite')));
    await mkdir(join(bare, 'usr/bin'), { recursive: true });
    await writeFile(join(bare, 'usr/bin/hello'), 'b\n');
    await imprint('capture', bare, '--name', 'rpm');
    const diff = await json<ImageDiff>('image', 'diff', 'rpm');
    expect(diff.packages).toEqual([
      {
        manager: 'rpm',
        name: 'hello-imprint',
        architecture: 'noarch',
        id: 'hello-imprint.noarch',
        after: '1:1.2-3',
        paths: 1,
      },
    ]);
    await expect(imprint('image', 'diff', 'rpm:1')).rejects.toMatchObject({ code: 2 });
  });
});

describe('image blame', () => {
  it('says since when each line and attribute is there, and whose the file is', async () => {
    const blame = await json<ImageBlame>('image', 'blame', 'web', '/etc/nginx.conf');
    expect(blame.lines).toEqual([
      { since: 1, text: 'worker 1;' },
      { since: 3, text: 'listen 8080;' },
      { since: 1, text: '# end' },
    ]);
    expect(blame.package).toEqual({ id: 'nginx', version: '1.22.1-9+deb12u10' });
    expect(blame.versions.map(({ number, message }) => [number, message])).toEqual([
      [3, 'another port'],
      [1, 'the first'],
    ]);
    const since = Object.fromEntries(blame.attributes.map((each) => [each.attribute, each.since]));
    expect(since).toMatchObject({ content: 3, mode: 1 });
  });

  it('of a binary tells attributes alone', async () => {
    const blame = await json<ImageBlame>('image', 'blame', 'web:2', 'usr/sbin/nginx');
    expect(blame.lines).toBeUndefined();
    expect(Object.fromEntries(blame.attributes.map((each) => [each.attribute, each.since]))).toMatchObject({
      size: 2,
      owner: 1,
    });
    await expect(imprint('image', 'blame', 'web', 'not/there')).rejects.toMatchObject({ code: 3 });
  });
});
