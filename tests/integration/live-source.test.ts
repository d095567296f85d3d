import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LiveSource } from '../../src/contract/image.ts';
import type { CaptureOutput } from '../../src/contract/operations/capture.ts';
import { imagePrune } from '../../src/contract/operations/retention.ts';
import { type Digest, rawPath } from '../../src/foundation/brand.ts';
import { toImprintError } from '../../src/foundation/errors.ts';
import { Task } from '../../src/foundation/task.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { checkoutImage } from '../../src/operations/checkout-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { listVersions, showVersion } from '../../src/operations/list-versions.ts';
import { buildLive } from '../../src/operations/live/build-live.ts';
import { liveImage, resolveLiveSource } from '../../src/operations/live/built-versions.ts';
import { openVersionDevice } from '../../src/operations/live/open-version-device.ts';
import { VersionDevice } from '../../src/operations/live/version-device.ts';
import { silentLog } from '../../src/operations/log.ts';
import { openMediumStore } from '../../src/operations/media/medium-store.ts';
import { pruneImages } from '../../src/operations/prune-images.ts';
import { removeVersions } from '../../src/operations/remove-versions.ts';
import { findGuard } from '../../src/operations/trust/find-guard.ts';
import { rootSpace } from '../../src/planning/install-space.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { compareTree } from '../../src/tree/compare-tree.ts';
import { serveDirectory } from '../contract/store-fixture.ts';
import { makeEveryEntry } from './every-entry.ts';
import { makeGoldenTree } from './install-tree.ts';

const uuid = '6d3b1c52-3f0e-4a8e-9a64-2f6d5a1c0e11';
const room = 64 << 20;
const step = 8 << 20;
let work: string;
let context: Context;
let version: CaptureOutput;
let store: Store;

const run = (command: string, args: string[]) => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fulfilled',
    (error) => toImprintError(error).code,
  );

/** A device, written to a file, holes where it has zeros. */
async function writeOut(device: VersionDevice, path: string): Promise<void> {
  await using file = await open(path, 'w');
  await file.truncate(device.size);
  const zeros = Buffer.alloc(step);
  for (let position = 0; position < device.size; position += step) {
    const bytes = await device.read(position, Math.min(step, device.size - position));
    if (!bytes.equals(zeros.subarray(0, bytes.length))) await file.write(bytes, 0, bytes.length, position);
  }
}

async function hashOf(device: VersionDevice): Promise<string> {
  const hash = createHash('sha256');
  for (let position = 0; position < device.size; position += step)
    hash.update(await device.read(position, Math.min(step, device.size - position)));
  return hash.digest('hex');
}

/** Differences of a file system in a file from the version, mounted as it is. */
async function differences(path: string, type: string): Promise<string[]> {
  const place = join(work, 'mounted');
  await mkdir(place, { recursive: true });
  run('mount', ['-t', type, '-o', 'loop', path, place]);
  try {
    const found: string[] = [];
    const options = { store, digest: version.digest as Digest, directory: rawPath(place), task: Task.silent() };
    for await (const { path: at, attribute } of compareTree(options))
      if (attribute !== 'holes') found.push(`${at}: ${attribute}`);
    await writeFile(join(place, 'written-later'), 'it can be written to');
    return found;
  } finally {
    run('umount', [place]);
  }
}

/** Has a file system grow to its device while it is mounted; bytes that it has then. */
async function grown(path: string, fileSystem: LiveSource['fileSystem']): Promise<number> {
  const place = join(work, 'grown');
  await mkdir(place, { recursive: true });
  run('mount', ['-t', fileSystem, '-o', 'loop', path, place]);
  try {
    if (fileSystem === 'xfs') run('xfs_growfs', [place]);
    else run('btrfs', ['filesystem', 'resize', 'max', place]);
    const { bsize, blocks } = await statfs(place);
    return bsize * blocks;
  } finally {
    run('umount', [place]);
  }
}

/** Writes to an xfs, ends it as a power cut does, and lets its log bring it back. */
async function cutAfterMount(path: string): Promise<void> {
  const place = join(work, 'cut');
  await mkdir(place, { recursive: true });
  run('mount', ['-t', 'xfs', '-o', 'loop', path, place]);
  for (let file = 0; file < 200; file += 1) await writeFile(join(place, `kept-${file}`), 'synced', { flush: true });
  run('xfs_io', ['-x', '-c', 'shutdown -f', place]);
  run('umount', [place]);
  run('mount', ['-t', 'xfs', '-o', 'loop', path, place]);
  expect((await readdir(place)).filter((name) => name.startsWith('kept-')).length).toBe(200);
  run('umount', [place]);
  check(path, 'xfs');
}

function check(path: string, fileSystem: LiveSource['fileSystem']): void {
  if (fileSystem === 'btrfs') run('btrfs', ['check', '--readonly', path]);
  else run('xfs_repair', ['-n', '-f', path]);
}

describe.skipIf(process.getuid?.() !== 0)('a file system that was made of a version', { timeout: 300_000 }, () => {
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'imprint-live-source-'));
    context = createContext({ data: join(work, 'data'), log: silentLog });
    makeEveryEntry(join(work, 'tree'));
    await makeGoldenTree(join(work, 'tree'));
    await mkdir(join(work, 'tree/srv'), { recursive: true });
    await writeFile(join(work, 'tree/srv/large'), Buffer.alloc(24 << 20, createHash('sha256').update('x').digest()));
    const request = { source: join(work, 'tree'), name: 'web', noDefaultExcludes: true, keepSecrets: true };
    version = await captureImage(context, request, Task.silent());
    const guard = await findGuard(context);
    store = await openStore(join(work, 'data/store'), guard === undefined ? {} : { guard });
  }, 120_000);
  afterAll(async () => {
    await store?.close();
    await context?.[Symbol.asyncDispose]();
    if (work !== undefined) run('rm', ['-rf', work]);
  });

  const wish = (fileSystem: 'ext4' | LiveSource['fileSystem'], size = 2 ** 30, from = store) => ({
    ...{ store: from, version: { image: 'web', digest: version.digest }, fileSystem, size, uuid, room },
    ...{ time: 1_700_000_000, file: join(work, `own-${Math.random()}`), processes: systemProcesses },
  });
  const openDevice = (...args: Parameters<typeof wish>) => openVersionDevice(wish(...args), Task.silent());

  it('is asked for where there is none', async () => {
    const error = await openDevice('xfs').then(
      () => undefined,
      (thrown) => toImprintError(thrown),
    );
    expect(error?.code).toBe('live-source-missing');
    expect(error?.message).toContain('xfs');
    expect(error?.hint).toContain(`imprint image live web@${version.digest} --file-system xfs`);
  });

  it.each(['xfs', 'btrfs'] as const)('%s: is made once, read back and mounted', async (fileSystem) => {
    const made = await buildLive(context, { reference: 'web', fileSystem }, Task.silent());
    expect(made).toMatchObject({ reference: 'web:1', built: `web.live-${fileSystem}:1`, made: true, signed: true });
    expect(existsSync(join(work, 'data/live/work'))).toBe(false);
    expect(run('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'])).not.toContain(work);
    const again = await buildLive(context, { reference: 'web:1', fileSystem }, Task.silent());
    expect(again).toEqual({ ...made, made: false, newBytes: 0 });

    // As it was made.
    const built = await resolveLiveSource(store, { image: 'web', digest: version.digest }, fileSystem);
    using plain = await VersionDevice.open({ store, built, room });
    const path = join(work, `plain.${fileSystem}`);
    await writeOut(plain, path);
    const directory = join(work, `checked-out-${fileSystem}`);
    await checkoutImage(context, { reference: made.built, directory }, Task.silent());
    run('cmp', [path, join(directory, `root.${fileSystem}`)]);
    check(path, fileSystem);
    expect(await differences(path, fileSystem)).toEqual([]);

    // With the UUID of a machine.
    using own = await openDevice(fileSystem, 1.5 * 2 ** 30);
    expect(own.size).toBe(1.5 * 2 ** 30);
    expect(own.uuid).toBe(uuid);
    const ownPath = join(work, `own.${fileSystem}`);
    await writeOut(own, ownPath);
    expect(run('blkid', ['-p', '-s', 'UUID', '-o', 'value', ownPath]).trim()).toBe(uuid);
    check(ownPath, fileSystem);
    expect(await differences(ownPath, fileSystem)).toEqual([]);
    check(ownPath, fileSystem);
    expect(await grown(ownPath, fileSystem)).toBeGreaterThan(own.size * 0.9);
    check(ownPath, fileSystem);
    if (fileSystem === 'xfs') await cutAfterMount(ownPath);
    // Reads that are not of whole blocks see the same.
    const [at, length] = [512, 100_000];
    expect((await own.read(at, length)).equals((await own.read(0, 1 << 20)).subarray(at, at + length))).toBe(true);
    run('rm', ['-rf', directory, path, ownPath]);
  });

  it.each(['xfs', 'btrfs'] as const)('%s: disks of two machines are in use in one', async (fileSystem) => {
    const mounted: string[] = [];
    try {
      for (const [index, machine] of [uuid, '0d1cb8a4-52f1-4f0b-8a53-9a3f7f0f7d55'].entries()) {
        using device = await openVersionDevice({ ...wish(fileSystem), uuid: machine }, Task.silent());
        const path = join(work, `machine-${index}.${fileSystem}`);
        await writeOut(device, path);
        const place = join(work, `machine-${index}`);
        await mkdir(place, { recursive: true });
        run('mount', ['-t', fileSystem, '-o', 'loop', path, place]);
        mounted.push(place);
        await writeFile(join(place, 'name'), machine, { flush: true });
      }
      const [first = '', second = ''] = mounted;
      expect(await readFile(join(first, 'name'), 'utf8')).toBe(uuid);
      expect(await readFile(join(second, 'name'), 'utf8')).not.toBe(uuid);
    } finally {
      for (const place of mounted) run('umount', [place]);
      for (const index of [0, 1]) {
        if (mounted[index] !== undefined) check(join(work, `machine-${index}.${fileSystem}`), fileSystem);
        run('rm', ['-f', join(work, `machine-${index}.${fileSystem}`)]);
      }
    }
  });

  it('is the same over HTTP', async () => {
    await using server = await serveDirectory(join(work, 'data/store'));
    const far = await openStore(server.url);
    for (const fileSystem of ['xfs', 'btrfs'] as const) {
      using near = await openDevice(fileSystem);
      using device = await openDevice(fileSystem, 2 ** 30, far);
      expect(await hashOf(device)).toBe(await hashOf(near));
    }
    await far.close();
  });

  it('is shown with its version, and nowhere else', async () => {
    expect((await listVersions(context, {})).versions.map(({ record }) => record.image)).toEqual(['web']);
    const shown = await showVersion(context, { reference: 'web' });
    expect(shown.liveSources).toEqual(['web.live-xfs:1', 'web.live-btrfs:1']);
    const one = await showVersion(context, { reference: 'web.live-xfs' });
    expect(one.record.live).toMatchObject({ image: 'web', number: 1, digest: version.digest, fileSystem: 'xfs' });
  });

  it('is on a medium that is to carry it, and nothing to choose there', async () => {
    await using medium = await openMediumStore(context, ['web', 'web.live-xfs'], Task.silent(), 'store/');
    expect(medium.images.map(({ image }) => image)).toEqual(['web:1']);
    const carried = join(work, 'carried');
    for (const { path, source } of medium.files) {
      await mkdir(dirname(join(carried, path)), { recursive: true });
      await writeFile(join(carried, path), typeof source === 'string' ? await readFile(source) : source);
    }
    const far = await openStore(join(carried, 'store'));
    using device = await openDevice('xfs', 2 ** 30, far);
    using near = await openDevice('xfs');
    expect(await hashOf(device)).toBe(await hashOf(near));
    expect(await codeOf(openDevice('btrfs', 2 ** 30, far))).toBe('live-source-missing');
    await far.close();
  });

  it('is the newest that there is room for', async () => {
    const least = rootSpace(version.stats);
    expect(await codeOf(openDevice('xfs', least - 1))).toBe('live-source-missing');
    const bytes = 1 << 30;
    const small = buildLive(context, { reference: 'web', fileSystem: 'xfs', size: 16 << 20 }, Task.silent());
    expect(await codeOf(small)).toBe('input-invalid');
    const larger = await buildLive(context, { reference: 'web', fileSystem: 'xfs', size: bytes }, Task.silent());
    expect(larger).toMatchObject({ built: 'web.live-xfs:2', made: true, size: bytes });
    const first = await buildLive(context, { reference: 'web', fileSystem: 'xfs' }, Task.silent());
    expect(first).toMatchObject({ built: 'web.live-xfs:1', made: false, size: least });
    const named = { image: 'web', digest: version.digest };
    const taken = async (size: number) => (await resolveLiveSource(store, named, 'xfs', size)).record.number;
    expect([await taken(least), await taken(bytes - 1), await taken(bytes), await taken(2 * bytes)]).toEqual([
      1, 1, 2, 2,
    ]);
    expect(await codeOf(buildLive(context, { reference: larger.built, fileSystem: 'xfs' }, Task.silent()))).toBe(
      'usage',
    );
  });

  it('is not taken where it is of another version, or nobody vouches for it', async () => {
    const other = { image: 'web', digest: `sha256:${'0'.repeat(64)}` };
    expect(await codeOf(resolveLiveSource(store, other, 'xfs'))).toBe('live-source-missing');
    const signature = join(work, 'data/store/images', liveImage('web', 'btrfs'), '1.json.minisig');
    await using file = await open(signature, 'r+');
    const text = (await file.readFile()).toString();
    run('cp', [join(work, 'data/store/images/web/1.json.minisig'), signature]);
    const named = { image: 'web', digest: version.digest };
    expect(await codeOf(resolveLiveSource(store, named, 'btrfs'))).toBe('signature-wrong');
    await writeFile(signature, text);
    await resolveLiveSource(store, named, 'btrfs');
  });

  it('gives out nothing that is damaged', async () => {
    using device = await openDevice('btrfs');
    const packs = join(work, 'data/store/packs');
    const names = (await readdir(packs, { recursive: true })).filter((name) => name.endsWith('.pack'));
    for (const name of names) {
      await using file = await open(join(packs, name), 'r+');
      const good = Buffer.alloc(4096);
      const { bytesRead } = await file.read(good, 0, 4096, 0);
      await file.write(
        good.subarray(0, bytesRead).map((byte) => byte ^ 0xff),
        0,
        bytesRead,
        0,
      );
    }
    expect(await codeOf(hashOf(device))).toBe('corrupt-pack');
    for (const name of names) {
      await using file = await open(join(packs, name), 'r+');
      const bad = Buffer.alloc(4096);
      const { bytesRead } = await file.read(bad, 0, 4096, 0);
      await file.write(
        bad.subarray(0, bytesRead).map((byte) => byte ^ 0xff),
        0,
        bytesRead,
        0,
      );
    }
    await hashOf(device);
  });

  it('says at once that there is no room, and leaves nothing', async () => {
    const before = (await listVersions(context, { image: 'web.live-xfs' })).versions.length;
    const data = join(work, 'data/live');
    run('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', data]);
    try {
      const request = { reference: 'web', fileSystem: 'xfs', size: 2 ** 31 } as const;
      expect(await codeOf(buildLive(context, request, Task.silent()))).toBe('disk-full');
      expect(existsSync(join(data, 'work'))).toBe(false);
    } finally {
      run('umount', [data]);
    }
    expect((await listVersions(context, { image: 'web.live-xfs' })).versions.length).toBe(before);
  });

  it('says the same where the room goes while it is made', async () => {
    const data = join(work, 'data/live');
    run('mount', ['-t', 'tmpfs', '-o', 'size=300m', 'tmpfs', data]);
    try {
      const task = Task.silent();
      const abort = new AbortController();
      const filled = (async () => {
        while (!abort.signal.aborted && !existsSync(join(data, 'work/root')))
          await new Promise((go) => setTimeout(go, 2));
        execFileSync('sh', ['-c', `cat /dev/zero > ${data}/filler 2>/dev/null || true`]);
      })();
      const request = { reference: 'web', fileSystem: 'btrfs', size: 2 ** 31 } as const;
      expect(await codeOf(buildLive(context, request, task))).toBe('disk-full');
      abort.abort();
      await filled;
      expect(existsSync(join(data, 'work'))).toBe(false);
      expect(run('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'])).not.toContain(work);
    } finally {
      run('umount', [data]);
    }
  });

  it('is no version that rules of pruning count', async () => {
    const rules = imagePrune.input.parse({ images: [], keep: { last: 1 }, dryRun: true });
    const { versions, removed } = await pruneImages(context, rules, Task.silent());
    expect(versions.map(({ reference }) => reference)).toEqual(['web:1']);
    expect(removed).toEqual([]);
  });

  it('goes with its version', async () => {
    const { removed } = await removeVersions(
      context,
      { references: ['web:1'], force: false, dryRun: false },
      Task.silent(),
    );
    expect(removed.toSorted()).toEqual(['web.live-btrfs:1', 'web.live-xfs:1', 'web.live-xfs:2', 'web:1']);
    expect(await codeOf(store.versions('web.live-xfs'))).toBe('image-not-found');
  });
});
