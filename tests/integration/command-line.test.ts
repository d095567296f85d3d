import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const launcher = join(import.meta.dirname, '../../imprint');
let scratch: string;
let data: string;
let tree: string;

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

function start(words: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  const { IMPRINT_SERVER: _1, IMPRINT_STORE: _2, IMPRINT_TOKEN: _3, IMPRINT_DATA: _4, ...inherited } = process.env;
  return spawn(launcher, words, {
    env: { ...inherited, IMPRINT_DATA: data, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function finish(child: ChildProcess): Promise<Outcome> {
  if (!child.stdout || !child.stderr) throw new Error('the streams are piped');
  const status = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, stdout, stderr };
}

const imprint = (...words: string[]) => finish(start(words));

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'imprint-cli-'));
  data = join(scratch, 'data');
  tree = join(scratch, 'tree');
  await mkdir(join(tree, 'etc'), { recursive: true });
  await writeFile(join(tree, 'etc/motd'), 'hello\n', { mode: 0o644 });
  await writeFile(join(tree, 'binary'), Buffer.from([0, 255, 10, 13, 0]));
  await symlink('etc/motd', join(tree, 'link'));
  await symlink('/etc', join(tree, 'absolute'));
  const odd = join(scratch, 'odd');
  await mkdir(odd);
  await writeFile(join(odd, 'a\\x2db'), '/a\\x2db');
  await writeFile(join(odd, 'c\nd'), '/c\\x0ad');
  await symlink('nowhere', join(odd, 'lost'));
  expect(await imprint('capture', odd, '--name', 'odd')).toMatchObject({ status: 0 });
  const captured = await imprint('capture', tree, '--name', 'web', '--tag', 'first');
  expect(captured).toMatchObject({ status: 0 });
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('exit statuses', () => {
  it.each([
    [0, ['--version']],
    [0, ['--help']],
    [0, ['images']],
    [0, ['image', 'verify', 'web']],
    [0, ['store', 'check']],
    [0, ['trust', 'show']],
    [0, ['trust', 'change', '--expires', '1y', '--dry-run']],
    [0, ['layout', 'check', 'files']],
    [0, ['layout', 'solve', 'slots', '--disk', '20G', '--image', 'web']],
    [2, ['layout', 'solve', 'single', '--disk', 'large']],
    [2, ['install', 'web01', '--layout', '/nowhere/at/all.yaml']],
    [3, ['layout', 'check', '/nowhere/at/all.yaml']],
    [3, ['layout', 'show', 'nothing']],
    [4, ['layout', 'solve', 'single', '--disk', '900M']],
    [2, ['trust', 'sign']],
    [2, ['trust', 'change', '--root-threshold', 'two']],
    [2, ['trust', 'change', '--expires', 'yesterday']],
    [2, ['image', 'ls', 'web', '--trust', '/nowhere/at/all']],
    [2, ['imgaes']],
    [2, ['image']],
    [2, ['image', 'sl', 'web']],
    [2, ['images', '--jsno']],
    [2, ['image', 'show']],
    [2, ['capture', '/', '--name', 'Not A Name']],
    [2, ['image', 'show', 'web:']],
    [2, ['image', 'cat', 'web', 'etc']],
    [2, ['image', 'tag', 'web', '7']],
    [3, ['image', 'show', 'nothing']],
    [3, ['image', 'show', 'web:9']],
    [3, ['image', 'cat', 'web', '/etc/passwd']],
    [3, ['image', 'ls', 'web', '/usr']],
    [3, ['images', '--store', '/nowhere/at/all']],
    [3, ['capture', '/nowhere/at/all', '--name', 'x']],
    [3, ['image', 'verify', 'web', '/nowhere/at/all']],
    [3, ['store', 'check', '--repair', '--from', '/nowhere/at/all']],
    [2, ['image', 'prune', 'web', '--keep-last', '0']],
    [4, ['image', 'checkout', 'web', '.']],
    [4, ['image', 'rm', 'web:1']],
    [4, ['image', 'rm', 'web:1', '--force']],
    [6, ['status']],
    [6, ['machines', '--server', 'http://127.0.0.1:1']],
    [6, ['images', '--store', 'http://127.0.0.1:1/store']],
  ])('%d for imprint %j', async (status, words) => {
    const outcome = await imprint(...words);
    expect(outcome, outcome.stderr).toMatchObject({ status });
    if (status === 0) return;
    expect(outcome.stdout).toBe('');
    expect(outcome.stderr).toMatch(/^(.*\n)*imprint: .+\n {7}→ .+\n$/);
    expect(outcome.stderr).not.toContain('    at ');
  });

  it('2 where a layout says what none can, and each mistake is named with its line', async () => {
    const file = join(scratch, 'layout.yaml');
    const { stdout } = await imprint('layout', 'show', 'single');
    await writeFile(file, stdout.replace('role: boot }', 'role: root }').replace('table: gpt', 'table: gtp'));
    const spelt = await imprint('layout', 'check', file);
    expect(spelt).toMatchObject({ status: 2, stdout: `${file}:5:12: disks[0].table must be one of auto, gpt, mbr\n` });
    await writeFile(file, stdout.replace('role: boot }', 'role: root }'));
    const meant = await imprint('layout', 'check', file, '--json');
    expect(JSON.parse(meant.stdout).problems).toHaveLength(3);
    await writeFile(file, stdout);
    expect(await imprint('layout', 'check', file)).toMatchObject({ status: 0, stdout: `${file} is a good layout\n` });
  });

  it('5 where a directory differs, and each difference is named', async () => {
    const directory = join(scratch, 'differs');
    expect(await imprint('image', 'checkout', 'web', directory)).toMatchObject({ status: 0 });
    expect(await imprint('image', 'verify', 'web', directory)).toMatchObject({ status: 0 });
    await writeFile(join(directory, 'etc/motd'), 'hellO\n');
    await writeFile(join(directory, 'extra'), '');
    const outcome = await imprint('image', 'verify', 'web', directory);
    expect(outcome.status).toBe(5);
    expect(outcome.stdout).toContain('etc/motd: content');
    expect(outcome.stdout).toContain('extra: should not be there');
  });

  it('5 where a pack is damaged, and nothing of the version is left in the directory', async () => {
    const store = join(data, 'store');
    const copy = join(scratch, 'damaged');
    const { cp } = await import('node:fs/promises');
    await cp(store, copy, { recursive: true });
    const [pack = ''] = (await readdir(join(copy, 'packs'), { recursive: true })).filter((name) =>
      name.endsWith('.pack'),
    );
    const bytes = await readFile(join(copy, 'packs', pack));
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    await writeFile(join(copy, 'packs', pack), bytes);
    const directory = join(scratch, 'from-damaged');
    const checkout = await imprint('image', 'checkout', 'web', directory, '--store', copy);
    expect(checkout.status, checkout.stderr).toBe(5);
    await expect(readdir(directory)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await imprint('image', 'verify', 'web', '--store', copy)).toMatchObject({ status: 5 });
    const check = await imprint('store', 'check', '--store', copy);
    expect(check.status).toBe(5);
    expect(check.stdout).toContain(pack);
    expect(check.stdout).toContain('web:1');
  });

  it('130 when it is interrupted, with nothing half-done', async () => {
    const waiting = createServer(() => {});
    await new Promise<void>((resolve) => waiting.listen(0, '127.0.0.1', resolve));
    const { port } = waiting.address() as AddressInfo;
    const child = start(['machines', '--server', `http://127.0.0.1:${port}`]);
    const ended = finish(child);
    await new Promise((resolve) => waiting.once('request', resolve));
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 130, stdout: '' });
    waiting.closeAllConnections();
    waiting.close();
  });
});

describe('hints', () => {
  it.each([
    [['--data', '/nowhere', 'image', 'show'], 'See how it is used: imprint image show --help'],
    [['--store', '/nowhere', 'image'], 'See what there is: imprint image --help'],
    [['--quiet', 'image', 'shw', 'web'], 'Did you mean imprint image show?'],
    [['imgaes'], 'Did you mean images?'],
    [['image', 'prune', 'web', '--keep-within', '5q'], 'Mend --keep-within and try again.'],
    [['image', 'prune', 'web', '--keep-last', 'x'], 'See how it is used: imprint image prune --help'],
    [['image', 'tag', 'web:1', 'latest'], 'Mend tag and try again.'],
  ])('for %j can be typed: %s', async (words, hint) => {
    expect((await imprint(...words)).stderr).toContain(`→ ${hint}\n`);
  });
});

describe('a tag', () => {
  it('is not taken away from another version than the one that is named', async () => {
    for (const _ of [1, 2])
      expect(await imprint('capture', tree, '--name', 'tagged', '-t', 'x')).toMatchObject({ status: 0 });
    const refused = await imprint('image', 'tag', '--delete', 'tagged:1', 'x');
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('tagged:x is version 2, not 1') });
    expect(await imprint('image', 'tag', '--delete', 'tagged', 'x')).toMatchObject({ status: 0 });
  });
});

describe('results', () => {
  it('are one JSON value with --json, and errors too', async () => {
    const { stdout } = await imprint('images', 'web', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ versions: [{ record: { image: 'web', number: 1 }, tags: ['first'] }] });
    const failed = await imprint('image', 'show', 'nothing', '--json');
    expect(JSON.parse(failed.stderr)).toMatchObject({
      error: { code: 'image-not-found', details: { reference: 'nothing' } },
    });
  });

  it('of streams are one JSON value a line', async () => {
    const { stdout } = await imprint('image', 'ls', '-R', 'web', '--json');
    const entries = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { path: string; mode: string });
    expect(entries.map(({ path }) => path)).toEqual(['absolute', 'binary', 'etc', 'etc/motd', 'link']);
    expect(entries.find(({ path }) => path === 'etc/motd')?.mode).toBe('0644');
  });

  it('come byte for byte from image cat, through links as the machine would follow them', async () => {
    const child = start(['image', 'cat', 'web', 'binary']);
    const { buffer } = await import('node:stream/consumers');
    if (!child.stdout) throw new Error('stdout is piped');
    expect(await buffer(child.stdout)).toEqual(Buffer.from([0, 255, 10, 13, 0]));
    expect(await imprint('image', 'cat', 'web', '/link')).toMatchObject({ stdout: 'hello\n' });
    expect(await imprint('image', 'cat', 'web', '/absolute/motd')).toMatchObject({ stdout: 'hello\n' });
    // As systemd names its units, and as a line feed is listed.
    for (const path of ['/a\\x2db', '/c\\x0ad'])
      expect(await imprint('image', 'cat', 'odd', path)).toMatchObject({ status: 0, stdout: path });
    expect((await imprint('image', 'cat', 'odd', '/lost')).stderr).toContain('/lost → /nowhere is not in odd.');
  });

  it('go to stdout and progress to stderr, and --quiet leaves none', async () => {
    const told = await imprint('image', 'verify', 'web');
    expect(told.stderr).toMatch(/^verify web: started\n(.*\n)*verify web: done, .* in .*\n$/);
    expect(told.stdout).toMatch(/^web:1 is whole/);
    expect(await imprint('image', 'verify', 'web', '--quiet')).toMatchObject({ stderr: '' });
  });

  it('have no colours in a pipe, unless they are forced', async () => {
    expect((await imprint('images')).stdout).not.toContain('\u001b');
    expect((await finish(start(['images'], { FORCE_COLOR: '1' }))).stdout).toContain('\u001b[1m');
  });

  it('end quietly where the reader goes away', async () => {
    const child = start(['image', 'ls', '-R', '--json', 'web']);
    child.stdout?.destroy();
    if (!child.stderr) throw new Error('stderr is piped');
    const status = new Promise((resolve) => child.on('close', resolve));
    expect(await text(child.stderr)).toBe('');
    expect(await status).toBe(0);
  });
});

describe('machines without a running server', () => {
  it('are registered on the data directory itself, and a removal asks', async () => {
    expect(await imprint('machine', 'add', 'web[01-03]', '--address', '10.0.0.11+', '--image', 'web')).toMatchObject({
      status: 0,
    });
    const { stdout } = await imprint('machines', '--json');
    const { machines } = JSON.parse(stdout) as { machines: { name: string; address: string }[] };
    expect(machines.map(({ name, address }) => `${name} ${address}`)).toEqual([
      'web01 10.0.0.11',
      'web02 10.0.0.12',
      'web03 10.0.0.13',
    ]);
    expect(await imprint('machine', 'rm', 'web03')).toMatchObject({ status: 4 });
    expect(await imprint('machine', 'rm', 'web03', '--yes')).toMatchObject({ status: 0 });
    expect(await imprint('machine', 'show', 'web03')).toMatchObject({ status: 3 });
    expect(await imprint('machine', 'add', 'web01')).toMatchObject({ status: 4 });
    expect(await imprint('install', 'web01')).toMatchObject({ status: 4 });
    expect((await imprint('install', 'web01', '--dry-run')).stdout).toContain('web01');
  });
});

describe('the launcher', () => {
  it('finds its checkout through links', async () => {
    await mkdir(join(scratch, 'bin'), { recursive: true });
    await symlink(launcher, join(scratch, 'one'));
    await symlink('../one', join(scratch, 'bin/imprint'));
    const child = spawn(join(scratch, 'bin/imprint'), ['--version'], { stdio: ['ignore', 'pipe', 'pipe'] });
    expect(await finish(child)).toMatchObject({ status: 0, stderr: '' });
  });

  it('says what to do where npm ci was not run', async () => {
    const { copyFile, chmod } = await import('node:fs/promises');
    const copy = join(scratch, 'bare');
    await mkdir(copy, { recursive: true });
    await copyFile(launcher, join(copy, 'imprint'));
    await chmod(join(copy, 'imprint'), 0o755);
    const outcome = await finish(spawn(join(copy, 'imprint'), ['--help'], { stdio: ['ignore', 'pipe', 'pipe'] }));
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain('npm ci');
  });
});
