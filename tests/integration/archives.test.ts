import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, existsSync, readFileSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CaptureOutput, CaptureRequest } from '../../src/contract/operations/capture.ts';
import { exportInputSchema } from '../../src/contract/operations/exports.ts';
import { ImprintError } from '../../src/foundation/errors.ts';
import { Task } from '../../src/foundation/task.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { exportImage } from '../../src/operations/export-image.ts';
import { listEntries } from '../../src/operations/list-entries.ts';
import { silentLog } from '../../src/operations/log.ts';
import { makeEveryEntry } from './every-entry.ts';
import { mountLoop } from './loop-file-system.ts';

let work: string;
let context: Context;
/** `every:1`, captured from a directory. */
let every: CaptureOutput;

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'imprint-archives-'));
  context = createContext({ data: join(work, 'data'), log: silentLog });
  makeEveryEntry(join(work, 'every'));
  every = await capture(join(work, 'every'), 'every');
});
afterAll(async () => {
  await context[Symbol.asyncDispose]();
  // Node cannot remove what lies deeper than one path can say.
  execFileSync('rm', ['-rf', work]);
});

function capture(source: string, name: string, more: Partial<CaptureRequest> = {}): Promise<CaptureOutput> {
  return captureImage(context, { source, name, ...more }, Task.silent());
}

function write(reference: string, target: string, format: string, compression?: string, force = false) {
  const input = exportInputSchema.parse({ reference, target, format, compression, force });
  return exportImage(context, input, Task.silent());
}

const code = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof ImprintError ? error.code : String(error)),
  );

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}

async function paths(reference: string): Promise<string[]> {
  const found: string[] = [];
  const input = { reference, recursive: true, directory: false };
  for await (const batch of listEntries(context, input, Task.silent())) found.push(...batch.map(({ path }) => path));
  return found;
}

/** An OCI layout of uncompressed layers that GNU tar made of directories or of given tars. */
async function layoutOf(directory: string, layers: readonly Buffer[]): Promise<string> {
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
  const blob = (bytes: Buffer) => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(directory, 'blobs/sha256', hex), bytes);
    return { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${hex}`, size: bytes.length };
  };
  const json = (value: unknown) => blob(Buffer.from(JSON.stringify(value)));
  const diffIds = layers.map((bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  const config = json({ architecture: 'arm64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } });
  const packed = layers.map((bytes, index) => blob(index % 2 === 0 ? gzipSync(bytes) : zstdCompressSync(bytes)));
  const manifest = json({ schemaVersion: 2, config, layers: packed });
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  return directory;
}

function tarOf(directory: string, ...args: string[]): Buffer {
  return execFileSync('tar', ['-C', directory, '--format=pax', '-c', ...args], { maxBuffer: 1 << 28 });
}

const layerFiles = {
  one: ['etc/gone', 'etc/kept', 'opaque/old', 'usr/lib/x', 'replaced/by-a-file'],
  two: ['etc/.wh.gone', 'opaque/.wh..wh..opq', 'opaque/new', 'replaced'],
  three: ['lib/through', 'etc/late'],
};

describe.skipIf(process.geteuid?.() !== 0)('a tree with every kind of entry', () => {
  it('goes through every archive and comes back as the same version', async () => {
    const archive = join(work, 'every.tar');
    const exported = await write('every:1', archive, 'tar');
    expect(exported.entries).toBe(every.stats.entries);
    await write('every:1', join(work, 'every.oci.tar'), 'oci-archive');
    await write('every:1', join(work, 'every.oci'), 'oci', 'zstd');
    for (const source of [
      archive,
      `oci:${join(work, 'every.oci')}`,
      `oci-archive:${join(work, 'every.oci.tar')}:every:1`,
      `docker-archive:${join(work, 'every.oci.tar')}`,
    ]) {
      const again = await capture(source, 'again');
      expect(again.digest, source).toBe(every.digest);
      expect(again.stats.newBytes).toBe(0);
    }
  });

  it('is the same bytes each time, from any store', async () => {
    const other = createContext({ data: join(work, 'other'), log: silentLog });
    try {
      const target = join(work, 'second.tar');
      await captureImage(other, { source: join(work, 'every.tar'), name: 'every' }, Task.silent());
      const input = exportInputSchema.parse({ reference: 'every:1', target, format: 'tar' });
      await exportImage(other, input, Task.silent());
      expect(await hashOf(target)).toBe(await hashOf(join(work, 'every.tar')));
    } finally {
      await other[Symbol.asyncDispose]();
    }
    await write('every:1', join(work, 'second.oci.tar'), 'oci-archive');
    expect(await hashOf(join(work, 'second.oci.tar'))).toBe(await hashOf(join(work, 'every.oci.tar')));
  });

  it('is unpacked by GNU tar as it was, and read from what GNU tar packs', async () => {
    const target = join(work, 'unpacked');
    await mkdir(target);
    const exclude = ['--exclude=deep', '--exclude=huge'];
    const all = ['--xattrs', '--xattrs-include=*'];
    execFileSync('tar', [...all, ...exclude, '-C', target, '-xpf', join(work, 'every.tar')], { stdio: 'ignore' });
    const differing = execFileSync(
      'rsync',
      [
        '-aHAXnci',
        '--delete',
        '--exclude=/deep',
        '--exclude=/huge',
        '--exclude=/socket',
        `${join(work, 'every')}/`,
        `${target}/`,
      ],
      { encoding: 'latin1' },
    );
    expect(differing).toBe('');
    const packed = join(work, 'gnu.tar');
    // What GNU tar cannot pack: what is too deep, sockets, and that names of a FIFO or device are of one.
    const lost = ['deep', 'socket', 'fifo, linked', 'zz device, linked'];
    const sources = ['--format=pax', '--sparse', ...all, ...lost.map((name) => `--exclude=./${name}`)];
    execFileSync('tar', [...sources, '-C', join(work, 'every'), '-cf', packed, '.'], { stdio: 'ignore' });
    const direct = await capture(join(work, 'every'), 'direct', { excludes: lost.map((name) => `/${name}`) });
    expect((await capture(packed, 'gnu')).digest).toBe(direct.digest);
  });
});

describe('layers', () => {
  beforeAll(async () => {
    for (const [layer, names] of Object.entries(layerFiles)) {
      for (const name of names) {
        await mkdir(join(work, layer, name, '..'), { recursive: true });
        await writeFile(join(work, layer, name), layer);
      }
    }
    await symlink('usr/lib', join(work, 'one/lib'));
  });

  it('are laid one over another as the specification says', async () => {
    const layers = [
      tarOf(join(work, 'one'), '.'),
      tarOf(join(work, 'two'), '.'),
      tarOf(join(work, 'three'), 'lib/through', 'etc'),
    ];
    const layout = await layoutOf(join(work, 'layers'), layers);
    const version = await capture(`oci:${layout}`, 'layers', { noDefaultExcludes: true });
    expect(await paths('layers')).toEqual([
      'etc',
      'etc/kept',
      'etc/late',
      'lib',
      'opaque',
      'opaque/new',
      'replaced',
      'usr',
      'usr/lib',
      'usr/lib/through',
      'usr/lib/x',
    ]);
    // What an upper layer hides is not stored at all.
    expect(version.stats.newChunks).toBe(3);
    const { record } = await (await context.store()).resolve('layers');
    expect(record.source).toMatchObject({ architecture: 'aarch64', location: `oci:${layout}` });
  });

  it('bring no secrets along, not even into a pack', async () => {
    const secret = randomBytes(64).toString('hex');
    await mkdir(join(work, 'system/etc/ssh'), { recursive: true });
    await writeFile(join(work, 'system/etc/os-release'), 'ID=test\nVERSION_ID="1"\n');
    await writeFile(join(work, 'system/etc/ssh/ssh_host_ed25519_key'), secret);
    await writeFile(join(work, 'system/etc/machine-id'), 'f'.repeat(32));
    await writeFile(join(work, 'system.tar'), tarOf(join(work, 'system'), '.'));
    const version = await capture(join(work, 'system.tar'), 'system');
    expect(version.scrubbed).toEqual(['etc/machine-id', 'etc/ssh/ssh_host_ed25519_key']);
    expect(await paths('system')).toEqual(['etc', 'etc/machine-id', 'etc/os-release', 'etc/ssh']);
    expect(version.stats.newChunks).toBe(1);
    const { record } = await (await context.store()).resolve('system');
    expect(record.source.system).toEqual({ id: 'test', version: '1', name: 'test' });
    expect((await capture(join(work, 'system.tar'), 'system', { keepSecrets: true })).scrubbed).toEqual([]);
  });

  it('are refused where a blob is not what its digest says, before anything is stored', async () => {
    const layout = await layoutOf(join(work, 'damaged'), [tarOf(join(work, 'system'), '.')]);
    const blobs = join(layout, 'blobs/sha256');
    for (const name of await readdir(blobs)) {
      const path = join(blobs, name);
      const good = await readFile(path);
      const bad = Buffer.from(good);
      bad[bad.length >> 1] = (bad[bad.length >> 1] ?? 0) ^ 1;
      await writeFile(path, bad);
      expect(await code(capture(`oci:${layout}`, 'bad'))).toBe('blob-corrupt');
      await writeFile(path, good.subarray(1));
      expect(await code(capture(`oci:${layout}`, 'bad'))).toBe('blob-corrupt');
      await rm(path);
      expect(await code(capture(`oci:${layout}`, 'bad'))).toBe('oci-invalid');
      await writeFile(path, good);
    }
    expect(await code(capture(`oci:${layout}`, 'good'))).toBe('done');
    expect(await code((async () => (await context.store()).versions('bad'))())).toBe('image-not-found');
  });

  it('are not taken for a tree of files by mistake', async () => {
    const archive = join(work, 'image.tar');
    await writeFile(archive, tarOf(join(work, 'layers'), '.'));
    expect(await code(capture(archive, 'mistaken'))).toBe('source-unfit');
    expect(await code(capture(`tar:${archive}`, 'meant'))).toBe('done');
    const { digest } = await capture(`oci-archive:${archive}`, 'taken', { noDefaultExcludes: true });
    expect(digest).toBe((await (await context.store()).resolve('layers')).record.digest);
  });

  it('meet any damage of index, manifest and configuration with an error of ours', async () => {
    const layout = await layoutOf(join(work, 'fuzzed'), [tarOf(join(work, 'system'), '.')]);
    const good = readFileSync(join(layout, 'index.json'), 'utf8');
    const known = new Set(['oci-invalid', 'oci-image-not-found', 'blob-corrupt', 'done']);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length), fc.nat(12), fc.string({ maxLength: 6 }), async (at, cut, text) => {
        await writeFile(join(layout, 'index.json'), good.slice(0, at) + text + good.slice(at + cut));
        expect(known).toContain(await code(capture(`oci:${layout}`, 'fuzz')));
      }),
      { numRuns: 40 },
    );
  });
});

describe('archives that are not what they should be', () => {
  it('are named, and nothing of them is left', async () => {
    const archive = tarOf(join(work, 'one'), '.');
    const files: Record<string, [bytes: Buffer, code: string]> = {
      'cut.tar': [archive.subarray(0, 2000), 'tar-invalid'],
      'cut.tar.gz': [gzipSync(archive).subarray(0, -5), 'archive-damaged'],
      'cut.tar.zst': [zstdCompressSync(archive).subarray(0, -5), 'archive-damaged'],
      'cut.tar.xz': [execFileSync('xz', ['-c'], { input: archive }).subarray(0, -20), 'archive-damaged'],
      'text.tar': [Buffer.from('no archive at all'), 'source-unfit'],
      'empty.tar': [Buffer.alloc(0), 'source-unfit'],
      'text.gz': [gzipSync('no archive at all, and longer than a block would be'.repeat(20)), 'tar-invalid'],
      'out.tar': [tarOf(work, '-P', '--transform=s,^one,../one,', 'one/etc/kept'), 'source-unfit'],
    };
    for (const [name, [bytes, wanted]] of Object.entries(files)) {
      await writeFile(join(work, name), bytes);
      expect(await code(capture(join(work, name), 'broken')), name).toBe(wanted);
    }
    expect(await code(capture(join(work, 'none.tar'), 'broken'))).toBe('source-not-found');
    expect(await code(capture(`tar:${work}`, 'broken'))).toBe('source-unfit');
    expect(await code(capture(`oci:${join(work, 'one')}`, 'broken'))).toBe('oci-invalid');
    expect(await readdir(join(work, 'data/store/tmp'))).toEqual([]);
  });

  it('are known by what is in them, however they are compressed', async () => {
    const archive = tarOf(join(work, 'one'), '.');
    await writeFile(join(work, 'plain'), archive);
    const { digest } = await capture(join(work, 'plain'), 'plain');
    for (const tool of ['bzip2', 'xz', 'lz4', 'gzip', 'zstd']) {
      // Two streams one after another are read as one.
      const half = archive.length >> 1;
      const parts = [archive.subarray(0, half), archive.subarray(half)];
      const packed = parts.map((input) => execFileSync(tool, ['-c'], { input, stdio: ['pipe', 'pipe', 'ignore'] }));
      await writeFile(join(work, 'named.anyhow'), Buffer.concat(packed));
      expect((await capture(join(work, 'named.anyhow'), 'plain')).digest, tool).toBe(digest);
    }
  });

  it('are read from a pipe as from a file', async () => {
    const data = { IMPRINT_DATA: join(work, 'data') };
    const launcher = join(import.meta.dirname, '../../imprint');
    const child = spawn(launcher, ['capture', '-', '--name', 'piped', '--json'], {
      env: { ...process.env, ...data },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.stdin.end(gzipSync(tarOf(join(work, 'one'), '.')));
    let text = '';
    for await (const piece of child.stdout) text += piece;
    await writeFile(join(work, 'one.tar'), tarOf(join(work, 'one'), '.'));
    expect(JSON.parse(text).digest).toBe((await capture(join(work, 'one.tar'), 'file')).digest);
  });
});

describe('a target', () => {
  it('is never written over, but with force, and only what is of its kind', async () => {
    const target = join(work, 'target.tar');
    await writeFile(target, 'mine');
    expect(await code(write('system:1', target, 'tar'))).toBe('target-exists');
    expect(await readFile(target, 'utf8')).toBe('mine');
    expect(await code(write('system:1', target, 'tar', 'none', true))).toBe('done');
    expect(await code(write('system:1', join(work, 'one'), 'oci', 'none', true))).toBe('target-exists');
    expect(await code(write('system:1', '/dev/null', 'tar', 'none', true))).toBe('target-exists');
    expect(existsSync(join(work, 'one/etc/kept'))).toBe(true);
  });

  it('is not there when anything fails, nor what was killed', async () => {
    const directory = join(work, 'targets');
    await mkdir(directory);
    await writeFile(join(directory, '.x.tar.imprint-part-999999999'), 'left by a process that was killed');
    const packs = join(work, 'data/store/packs');
    const files = (await readdir(packs, { recursive: true })).filter((name) => name.endsWith('.pack'));
    const size = (name: string) => statSync(join(packs, name)).size;
    const first = files.reduce((left, right) => (size(right) > size(left) ? right : left));
    const good = await readFile(join(packs, first));
    await truncate(join(packs, first), 100);
    const failed = [await code(write('every:1', join(directory, 'x.tar'), 'tar'))];
    failed.push(await code(write('every:1', join(directory, 'x.oci'), 'oci')));
    await writeFile(join(packs, first), good);
    expect(failed).toEqual(['corrupt-pack', 'corrupt-pack']);
    expect(await readdir(directory)).toEqual([]);
  });

  it.skipIf(process.geteuid?.() !== 0)('is not there on a full disk, which has its room again', async () => {
    using disk = mountLoop('ext4', 16);
    const before = statfsSync(disk.path).bfree;
    for (const [name, format] of [
      ['x.tar', 'tar'],
      ['x.oci.tar', 'oci-archive'],
      ['x.oci', 'oci'],
    ] as const) {
      expect(await code(write('every:1', join(disk.path, name), format, 'none')), format).toBe('disk-full');
    }
    expect((await readdir(disk.path)).filter((name) => name !== 'lost+found')).toEqual([]);
    expect(statfsSync(disk.path).bfree).toBeGreaterThan(before - 100);
  });

  it('is refused where OCI would take a name for an order', async () => {
    await mkdir(join(work, 'whiteout'));
    await writeFile(join(work, 'whiteout/.wh.passwd'), '');
    await capture(join(work, 'whiteout'), 'whiteout');
    expect(await code(write('whiteout', join(work, 'whiteout.oci'), 'oci-archive'))).toBe('export-unfit');
    expect(existsSync(join(work, 'whiteout.oci'))).toBe(false);
    await write('whiteout', join(work, 'whiteout.tar'), 'tar', 'zstd');
    expect((await capture(join(work, 'whiteout.tar'), 'back')).digest).toBe(
      (await (await context.store()).resolve('whiteout')).record.digest,
    );
  });
});
