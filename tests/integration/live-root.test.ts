import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CaptureOutput } from '../../src/contract/operations/capture.ts';
import {
  frugalMediaInputSchema,
  type IsoMediaInput,
  isoMediaInputSchema,
} from '../../src/contract/operations/media.ts';
import type { Digest } from '../../src/foundation/brand.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { toImprintError } from '../../src/foundation/errors.ts';
import { Task } from '../../src/foundation/task.ts';
import { readImageContent } from '../../src/machine/image-content.ts';
import { readLiveStart } from '../../src/machine/live-start.ts';
import { mediumPaths } from '../../src/machine/medium-names.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { buildLive } from '../../src/operations/live/build-live.ts';
import { copyVersionToMemory } from '../../src/operations/live/copy-to-memory.ts';
import { openLiveStart } from '../../src/operations/live/open-live-start.ts';
import { openVersionDevice } from '../../src/operations/live/open-version-device.ts';
import { silentLog } from '../../src/operations/log.ts';
import type { LiveImagerWish, MakeLiveImager } from '../../src/operations/media/live-imager.ts';
import { writeFrugal } from '../../src/operations/media/write-frugal.ts';
import { writeIsoMedium } from '../../src/operations/media/write-iso.ts';
import { verifyImage } from '../../src/operations/verify-image.ts';
import { rootSpace } from '../../src/planning/install-space.ts';
import { openStore } from '../../src/store/open-store.ts';
import { mountDevice, unmountTree } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { makeGoldenTree } from './install-tree.ts';
import { loopDisk } from './loop-disk.ts';

const uuid = '6d3b1c52-3f0e-4a8e-9a64-2f6d5a1c0e11';
const mebibyte = 2 ** 20;
const { run } = systemProcesses;
let work: string;
let context: Context;
let version: CaptureOutput;
const wishes: LiveImagerWish[] = [];
const makeLive: MakeLiveImager = async (_, wish) => {
  wishes.push(wish);
  return { kernel: randomBytes(200_000), initrd: randomBytes(2_000_000), fingerprint: ['a'], warnings: [] };
};

/** Every byte of the block device that a machine gets which finds its version here. */
async function deviceOf(location: string, fileSystem: 'xfs' | 'btrfs' = 'xfs'): Promise<string> {
  const store = await openStore(location);
  try {
    // What a start reads before it makes its root.
    const { record } = await store.find('web:1');
    expect((await readImageContent(store.entries(record.digest as Digest))).kernels).not.toEqual([]);
    const what = {
      store,
      version: record,
      fileSystem,
      size: rootSpace(record.stats),
      uuid,
      time: 0,
      room: 64 * mebibyte,
    };
    using device = await openVersionDevice(
      { ...what, file: join(work, 'own'), processes: systemProcesses },
      Task.silent(),
    );
    const hash = createHash('sha256');
    for (let at = 0; at < device.size; at += 8 * mebibyte)
      hash.update(await device.read(at, Math.min(8 * mebibyte, device.size - at)));
    return hash.digest('hex');
  } finally {
    await store.close();
  }
}

async function taken(directory: string): Promise<number> {
  const { stdout } = await run('du', ['--summarize', '--block-size=1', directory]);
  return Number(stdout.split('\t', 1)[0]);
}

const iso = (name: string, more: Partial<IsoMediaInput>) =>
  writeIsoMedium(context, isoMediaInputSchema.parse({ target: join(work, name), ...more }), Task.silent(), makeLive);

describe.skipIf(process.getuid?.() !== 0)('a live system whose root is an xfs', { timeout: 300_000 }, () => {
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'imprint-live-root-'));
    context = createContext({ data: join(work, 'data'), log: silentLog });
    await mkdir(context.paths.netboot, { recursive: true });
    await makeGoldenTree(join(work, 'tree'));
    await writeFile(join(work, 'tree/large'), randomBytes(24 * mebibyte));
    const request = { source: join(work, 'tree'), name: 'web', noDefaultExcludes: true, keepSecrets: true };
    version = await captureImage(context, request, Task.silent());
    await buildLive(context, { reference: 'web', fileSystem: 'xfs' }, Task.silent());
  }, 120_000);
  afterAll(async () => {
    await context?.[Symbol.asyncDispose]();
    if (work !== undefined) await rm(work, { recursive: true, force: true });
  });

  it('is on the medium beside the version, which is installed from there as ever, and is what its menu starts', async () => {
    const output = await iso('xfs.iso', { images: ['web'], live: true, fileSystem: 'xfs' });
    expect(output).toMatchObject({ live: 'web:1', fileSystem: 'xfs', images: [{ image: 'web:1' }] });
    expect(wishes.at(-1)).toMatchObject({ fileSystem: 'xfs' });
    const tree = join(work, 'iso');
    await run('xorriso', ['-osirrox', 'on', '-indev', join(work, 'xfs.iso'), '-extract', '/', tree]);
    await run('chmod', ['-R', 'u+w', tree]);
    await run('grub-script-check', [join(tree, 'boot/grub/grub.cfg')]);
    const menu = await readFile(join(tree, 'boot/grub/grub.cfg'), 'utf8');
    const starts = [...menu.matchAll(/^ {2}linux \S+ (.*)$/gm)].map(([, words = '']) => readLiveStart(words));
    const what = { kind: 'medium', medium: output.id, image: 'web:1', fileSystem: 'xfs' };
    expect(starts.slice(0, 3)).toEqual([{ ...what, toram: false }, { ...what, toram: true }, undefined]);
    const store = join(tree, mediumPaths.store);
    expect(await deviceOf(store)).toBe(await deviceOf(context.storeLocation));
    await using carried = createContext({ data: join(work, 'data'), store, log: silentLog });
    const differences: unknown[] = [];
    const question = { reference: 'web', directory: join(work, 'tree') };
    await verifyImage(carried, question, Task.silent(), (each) => differences.push(each));
    expect(differences).toEqual([]);
    // Another root is another medium.
    expect((await iso('ext4.iso', { images: ['web'], live: true })).id).not.toBe(output.id);
  });

  it('is refused before anything is made where nobody made it, or where nothing starts live', async () => {
    const before = wishes.length;
    const refused = async (more: Partial<IsoMediaInput>) =>
      toImprintError(await iso('never.iso', { images: ['web'], ...more }).catch((error: unknown) => error));
    const missing = await refused({ live: true, fileSystem: 'btrfs' });
    expect(missing.code).toBe('live-source-missing');
    expect(missing.hint).toContain(`imprint image live web@${version.digest} --file-system btrfs`);
    expect((await refused({ fileSystem: 'xfs' })).details).toMatchObject({ field: '--fs' });
    expect(wishes).toHaveLength(before);
    await expect(stat(join(work, 'never.iso'))).rejects.toThrow('ENOENT');
  });

  it('needs nothing else of its version in memory', async () => {
    const copy = async (to: string, more: { fileSystem?: 'xfs' }) => {
      const wish = { from: context.storeLocation, to: join(work, to), reference: 'web:1', available: 2 ** 33 };
      return copyVersionToMemory({ ...wish, ...more }, Task.silent());
    };
    const [alone, plain] = [await copy('memory', { fileSystem: 'xfs' }), await copy('plain', {})];
    const expected = await deviceOf(context.storeLocation);
    await rename(context.storeLocation, join(work, 'pulled-out'));
    try {
      expect(await deviceOf(alone)).toBe(expected);
      expect((await readdir(join(alone, 'images'))).sort()).toEqual(['web', 'web.live-xfs']);
      expect((await readdir(join(plain, 'images'))).sort()).toEqual(['web']);
      // The content is there once.
      expect(await taken(alone)).toBeLessThan((await taken(plain)) + 16 * mebibyte);
    } finally {
      await rename(join(work, 'pulled-out'), context.storeLocation);
    }
  });

  it('is found on a partition by the words of its menu, and copied into memory', async () => {
    await using disk = await loopDisk(512 * mebibyte);
    await run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk.device], {
      input: 'label: gpt\nstart=2048, size=1000000, type=L\n',
    });
    await run('partx', ['--add', disk.device]);
    const partition = `${disk.device}p1`;
    await run('mkfs.ext4', ['-q', '-F', partition]);
    const input = { target: partition, image: 'web', fileSystem: 'xfs' as const, changes: 64 * mebibyte };
    const place = { makeLive, root: work };
    await writeFrugal(context, frugalMediaInputSchema.parse(input), Task.silent(), place);
    const mounted = join(disk.directory, 'mounted');
    await mountDevice(systemProcesses, { device: partition, directory: mounted, type: 'ext4', options: 'ro' });
    const menu = await readFile(join(mounted, 'imprint-live/grub.cfg'), 'utf8');
    await unmountTree(systemProcesses, mounted, systemClock);
    const starts = [...menu.matchAll(/^ {2}linux \S+ (.*)$/gm)].map(([, words = '']) => readLiveStart(words));
    expect(starts).toHaveLength(3);
    for (const start of starts) {
      if (start?.kind !== 'frugal') throw new Error('the menu starts something else');
      expect(start.fileSystem).toBe('xfs');
      const wish = { start, processes: systemProcesses, clock: systemClock, directory: join(disk.directory, 'run') };
      const opened = await openLiveStart({ ...wish, patience: 0, reserve: mebibyte }, Task.silent());
      try {
        expect(opened.inMemory).toBe(start.toram);
        expect(await deviceOf(opened.store)).toBe(await deviceOf(context.storeLocation));
      } finally {
        await opened.release();
        await run('umount', [opened.store], { accept: [0, 1, 32] });
      }
    }
    const other = frugalMediaInputSchema.parse({ ...input, fileSystem: 'btrfs', force: true });
    const missing = writeFrugal(context, other, Task.silent(), place);
    await expect(missing).rejects.toMatchObject({ code: 'live-source-missing' });
  });
});
