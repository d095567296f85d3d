import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FrugalMediaInput, frugalMediaInputSchema } from '../../src/contract/operations/media.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { liveMenuId } from '../../src/machine/live-menu.ts';
import { type LiveFrugalStart, readLiveStart } from '../../src/machine/live-start.ts';
import { findSystems } from '../../src/operations/boot/find-systems.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { openLiveStart } from '../../src/operations/live/open-live-start.ts';
import { silentLog } from '../../src/operations/log.ts';
import type { MakeLiveImager } from '../../src/operations/media/live-imager.ts';
import { removeFrugal, writeFrugal } from '../../src/operations/media/write-frugal.ts';
import { verifyImage } from '../../src/operations/verify-image.ts';
import { openStore } from '../../src/store/open-store.ts';
import { mountDevice, unmountTree } from '../../src/system/mount.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const mebibyte = 2 ** 20;
const { run } = systemProcesses;
const kernel = randomBytes(300_000);
const initrd = randomBytes(3_000_000);
const makeLive: MakeLiveImager = async () => ({ kernel, initrd, fingerprint: [], warnings: [] });
const makers = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-f'],
  btrfs: ['mkfs.btrfs', '-q', '-f'],
} as const;

let work: string;
let context: Context;

/** A disk with one partition, of this kind. */
async function partition(kind: keyof typeof makers): Promise<LoopDisk & { partition: string; uuid: string }> {
  const disk = await loopDisk(512 * mebibyte);
  const table = 'label: gpt\nstart=2048, size=1000000, type=L\n';
  await run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk.device], { input: table });
  await run('partx', ['--add', disk.device]);
  const part = `${disk.device}p1`;
  const [program, ...args] = makers[kind];
  await run(program, [...args, part]);
  const uuid = (await run('blkid', ['-p', '-o', 'value', '-s', 'UUID', part])).stdout.trim();
  return Object.assign(disk, { partition: part, uuid });
}

/** What GRUB itself reads there, without the kernel's help. */
async function grubReads(device: string, path: string, name: string): Promise<Buffer> {
  await run('blockdev', ['--flushbufs', device]);
  const copy = join(work, name);
  await run('grub-fstest', [device, 'cp', `(loop0)${path}`, copy]);
  return readFile(copy);
}

describe.skipIf(process.getuid?.() !== 0)('a live system on a partition', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'imprint-frugal-test-'));
    context = createContext({ data: join(work, 'data'), log: silentLog });
    await makeGoldenTree(join(work, 'golden'));
    const whole = { noDefaultExcludes: true, keepSecrets: true };
    await captureImage(context, { source: join(work, 'golden'), name: 'web', ...whole }, Task.silent());
  });
  afterAll(async () => {
    await context?.[Symbol.asyncDispose]();
    await rm(work, { recursive: true, force: true });
  });

  const put = (target: string, more: Partial<FrugalMediaInput> = {}, root = work) =>
    writeFrugal(context, frugalMediaInputSchema.parse({ target, image: 'web', ...more }), Task.silent(), {
      makeLive,
      root,
    });

  for (const kind of ['ext4', 'xfs', 'btrfs'] as const) {
    it(`is read by GRUB on ${kind}, has room for what it writes, and leaves nothing when it goes`, async () => {
      await using disk = await partition(kind);
      const before = join(disk.directory, 'before');
      await mountDevice(systemProcesses, { device: disk.partition, directory: before, type: kind, options: 'rw' });
      await writeFile(join(before, 'photo'), 'mine');
      await unmountTree(systemProcesses, before, systemClock);

      // The partition itself: it is mounted for the time.
      const output = await put(disk.partition, { changes: 4096 * mebibyte });
      expect(output).toMatchObject({
        path: '/imprint-live',
        uuid: disk.uuid,
        image: 'web:1',
        changes: 4096 * mebibyte,
      });
      expect((await run('findmnt', ['--source', disk.partition], { accept: [0, 1] })).status).toBe(1);
      expect((await grubReads(disk.partition, '/imprint-live/vmlinuz', kind)).equals(kernel)).toBe(true);
      expect((await grubReads(disk.partition, '/imprint-live/initrd.img', kind)).equals(initrd)).toBe(true);
      const menu = (await grubReads(disk.partition, '/imprint-live/grub.cfg', kind)).toString();
      await run('grub-script-check', [join(work, kind)]);
      const [words] = [...menu.matchAll(/^ {2}linux \S+ (.*)$/gm)].map(([, found = '']) => found);
      expect(readLiveStart(words ?? '')).toEqual({
        ...{ kind: 'frugal', uuid: disk.uuid, directory: '/imprint-live', image: 'web:1' },
        ...{ changes: 'changes', toram: false },
      });

      await mountDevice(systemProcesses, { device: disk.partition, directory: before, type: kind, options: 'rw' });
      const live = join(before, 'imprint-live');
      expect(JSON.parse(await readFile(join(live, 'live.json'), 'utf8'))).toMatchObject({ image: 'web:1' });
      const changes = await stat(join(live, 'changes'));
      expect(changes.size).toBe(4096 * mebibyte);
      expect(changes.blocks * 512).toBeLessThan(mebibyte);
      const store = createContext({ data: join(work, 'data'), store: join(live, 'store'), log: silentLog });
      const differences: unknown[] = [];
      const question = { reference: 'web', directory: join(work, 'golden') };
      await verifyImage(store, question, Task.silent(), (each) => differences.push(each));
      await store[Symbol.asyncDispose]();
      expect(differences).toEqual([]);
      // Now by the directory that it is mounted on.
      expect(await removeFrugal(context, { target: before }, { root: work })).toMatchObject({
        removed: true,
        image: 'web:1',
      });
      expect((await readdir(before)).filter((name) => name !== 'lost+found')).toEqual(['photo']);
      await unmountTree(systemProcesses, before, systemClock);
    });
  }

  it('is found for the boot menu, and gets an entry of a GRUB that Imprint did not install, which goes with it', async () => {
    await using disk = await partition('ext4');
    const root = join(disk.directory, 'root');
    await mkdir(join(root, 'boot/grub'), { recursive: true });
    await writeFile(join(root, 'boot/grub/grub.cfg'), 'source $prefix/custom.cfg\n');
    const custom = join(root, 'boot/grub/custom.cfg');
    await writeFile(custom, '# mine\n');
    expect((await put(disk.partition, {}, root)).entry).toBe(custom);
    const text = await readFile(custom, 'utf8');
    expect(text).toContain(`--id ${liveMenuId} {`);
    expect(text).toContain(`--set=root ${disk.uuid}\n  configfile /imprint-live/grub.cfg`);
    await run('grub-script-check', [custom]);
    const { systems } = await findSystems(systemProcesses, [disk.device], Task.silent());
    const way = { kind: 'menu', path: '/imprint-live/grub.cfg' };
    expect(systems).toMatchObject([{ id: 'live-1', fileSystemUuid: disk.uuid, bios: way, uefi: way }]);
    // Another one's entry stays.
    await using other = await partition('ext4');
    await put(other.partition, { entry: false }, root);
    expect(await removeFrugal(context, { target: other.partition }, { root })).not.toHaveProperty('entry');
    expect(await readFile(custom, 'utf8')).toBe(text);
    expect((await removeFrugal(context, { target: disk.partition }, { root })).entry).toBe(custom);
    expect(await readFile(custom, 'utf8')).toBe('# mine\n');
  });

  it.each(['ext4', 'btrfs'] as const)(
    'is opened by its words on %s, with its changes as a device, or in memory',
    async (kind) => {
      await using disk = await partition(kind);
      const { uuid } = await put(disk.partition, { changes: 64 * mebibyte });
      const directory = join(disk.directory, 'run');
      const base = { kind: 'frugal', uuid, directory: '/imprint-live', image: 'web:1', toram: false } as const;
      const enter = (start: LiveFrugalStart) => {
        const wish = {
          start,
          processes: systemProcesses,
          clock: systemClock,
          directory,
          patience: 0,
          reserve: mebibyte,
        };
        return openLiveStart(wish, Task.silent());
      };
      const isMounted = async () =>
        (await run('findmnt', ['--source', disk.partition], { accept: [0, 1] })).status === 0;
      const find = async (store: string) => {
        const opened = await openStore(store);
        const { record } = await opened.find('web:1');
        await opened.close();
        return record.number;
      };

      const first = await enter({ ...base, changes: 'changes' });
      expect(first).toMatchObject({ inMemory: false, changes: { size: 64 * mebibyte, fresh: true } });
      expect(await find(first.store)).toBe(1);
      const changes = first.changes?.device ?? '';
      expect(Number((await run('blockdev', ['--getsize64', changes])).stdout)).toBe(64 * mebibyte);
      await run('dd', [`of=${changes}`, 'bs=4096', 'conv=fsync'], { input: 'SnAp, what the kernel begins it with' });
      await first.release();
      expect(await isMounted()).toBe(false);
      const second = await enter({ ...base, changes: 'changes' });
      expect(second.changes?.fresh).toBe(false);
      await second.release();

      const forgetful = await enter(base);
      expect(forgetful.changes).toBeUndefined();
      await expect(writeFile(join(forgetful.store, 'x'), '')).rejects.toThrow('EROFS');
      await forgetful.release();
      const inMemory = await enter({ ...base, toram: true });
      expect(inMemory.inMemory).toBe(true);
      expect(await isMounted()).toBe(false);
      expect(await find(inMemory.store)).toBe(1);
      await run('umount', [inMemory.store]);

      for (const wrong of [{ image: 'web:2' }, { directory: '/other' }, { changes: 'others' }, { uuid: 'ABCD-1234' }]) {
        await expect(enter({ ...base, ...wrong })).rejects.toMatchObject({ code: 'live-start-unfit' });
        expect(await isMounted()).toBe(false);
      }
    },
  );

  it('is refused where it could not be, and replaces another only when told to', async () => {
    await using disk = await partition('ext4');
    const mounted = join(disk.directory, 'mounted');
    await mountDevice(systemProcesses, { device: disk.partition, directory: mounted, type: 'ext4', options: 'rw' });
    const code = (target: string, more: Partial<FrugalMediaInput> = {}) =>
      put(target, more).then(
        () => 'made',
        (error: { code?: string }) => error.code,
      );
    await mkdir(join(mounted, 'with a space'));
    expect(await code(join(mounted, 'with a space'))).toBe('boot-place-unfit');
    expect(await code(disk.device)).toBe('boot-place-unfit');
    expect(await code(mounted, { image: 'nothing' })).toBe('image-not-found');
    expect(await code(mounted, { changes: mebibyte })).toBe('input-invalid');
    await run('fallocate', ['-l', '400M', join(mounted, 'large')]);
    expect(await code(mounted)).toBe('disk-full');
    await rm(join(mounted, 'large'));
    await expect(removeFrugal(context, { target: mounted })).rejects.toMatchObject({ code: 'input-invalid' });
    expect((await readdir(mounted)).sort()).toEqual(['lost+found', 'with a space']);

    expect(await code(mounted, { changes: 64 * mebibyte })).toBe('made');
    const changes = join(mounted, 'imprint-live/changes');
    await writeFile(changes, 'what it wrote');
    expect(await code(mounted)).toBe('target-exists');
    expect(await readFile(changes, 'utf8')).toBe('what it wrote');
    expect(await code(mounted, { force: true })).toBe('made');
    await expect(stat(changes)).rejects.toThrow('ENOENT');
    expect((await readdir(mounted)).sort()).toEqual(['imprint-live', 'lost+found', 'with a space']);
  });
});
