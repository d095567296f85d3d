import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, stat, statfs, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawPath } from '../../src/foundation/brand.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { readImageContent } from '../../src/machine/image-content.ts';
import { type InstalledLayout, imagePath } from '../../src/machine/installed-layout.ts';
import { fillFileSlot, removeUnreferencedImages } from '../../src/operations/update/fill-file-slot.ts';
import { fillPartitionSlot } from '../../src/operations/update/fill-partition-slot.ts';
import type { FillRequest } from '../../src/operations/update/fill-slot.ts';
import { readKeptConfiguration } from '../../src/operations/update/kept-configuration.ts';
import { keepObject } from '../../src/operations/update/object-state.ts';
import { readSlotVersion } from '../../src/operations/update/slot-version.ts';
import type { UpdateContent } from '../../src/operations/update/update-content.ts';
import { DirectoryStore } from '../../src/store/directory-store.ts';
import { attachImage } from '../../src/system/loop-image.ts';
import { type RunningProcess, systemProcesses } from '../../src/system/run.ts';
import { compareTree } from '../../src/tree/compare-tree.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';
import { type LoopType, mountLoop } from './loop-file-system.ts';
import { captureTree, updateContent } from './version-content.ts';

const run = systemProcesses.run;
const mebibyte = 1 << 20;
let base: string;
let store: DirectoryStore;
/** Three versions; the first two differ in a few files, and in two blocks of a large one. */
let versions: UpdateContent[];

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'imprint-fill-'));
  store = await DirectoryStore.open(join(base, 'store'), { create: true });
  const golden = join(base, 'golden');
  await makeGoldenTree(golden);
  await mkdir(join(golden, 'srv'));
  const large = randomBytes(48 * mebibyte);
  await writeFile(join(golden, 'srv/large'), large);
  for (let index = 0; index < 500; index += 1) await writeFile(join(golden, `srv/f${index}`), `file ${index}`);
  const one = await updateContent(store, await captureTree(store, golden), 1);
  large.fill(7, 20 * mebibyte, 20 * mebibyte + 8192);
  await writeFile(join(golden, 'srv/large'), large);
  for (let index = 0; index < 5; index += 1) await writeFile(join(golden, `srv/f${index}`), `second ${index}`);
  await writeFile(join(golden, 'boot/vmlinuz-6.1.0-10-amd64'), Buffer.alloc(3_000_000, 'kernel of two '));
  await rm(join(golden, 'srv/f9'));
  const two = await updateContent(store, await captureTree(store, golden), 2);
  await writeFile(join(golden, 'srv/large'), randomBytes(9 * mebibyte));
  const three = await updateContent(store, await captureTree(store, golden), 3);
  versions = [one, two, three];
  await makeRunning(join(base, 'running'));
});
afterAll(async () => {
  await store.close();
  rmSync(base, { recursive: true, force: true });
});

describe.skipIf(process.geteuid?.() !== 0)('a spare partition', () => {
  it.each<LoopType>(['ext4', 'xfs', 'btrfs'])(
    'on %s is filled, filled again with what differs, and is this machine’s',
    async (type) => {
      await using disk = await loopDisk(1024 * mebibyte);
      const [one, two] = versions as [UpdateContent, UpdateContent];
      const layout = slotLayout(type);
      const request = await requestFor(disk, layout);
      const first = await fillPartitionSlot({ ...request, content: one, slot: 'b', device: disk.device });
      expect(first.report).toMatchObject({ reused: false, warnings: [] });
      expect(first.entry).toMatchObject({ slot: 'b', kernelVersion: '6.1.0-10-amd64', reference: 'web:9' });
      const second = await fillPartitionSlot({ ...request, content: two, slot: 'b', device: disk.device });
      expect(second.report).toMatchObject({ reused: true, warnings: [] });
      // The kernel, five small files, and of the large one the chunk that changed; three files were the machine's and came from the version first.
      expect(second.report.bytes).toBeLessThan(12 * mebibyte);
      expect(second.files.vmlinuz.toString('latin1', 0, 13)).toBe('kernel of two');
      expect(second.entry.kernelOptions).toEqual(
        expect.arrayContaining([`root=UUID=${layout.slots[1]?.uuid}`, 'quiet', 'ro']),
      );
      await using mounted = await mounting(disk.device, type, disk.directory);
      await expectVersion(mounted.path, two);
      expect(readFileSync(join(mounted.path, 'etc/hostname'), 'utf8')).toBe('web01\n');
      expect(readFileSync(join(mounted.path, 'etc/ssh/ssh_host_ed25519_key'), 'utf8')).toBe('key of web01');
      expect(existsSync(join(mounted.path, 'etc/ssh/ssh_host_rsa_key'))).toBe(false);
      expect(existsSync(join(mounted.path, 'var/lib/systemd/random-seed'))).toBe(false);
      expect(readFileSync(join(mounted.path, 'etc/imprint/agent.yaml'), 'utf8')).toBe('tries: 2\n');
      expect(readFileSync(join(mounted.path, 'opt/carried/deep/state'), 'utf8')).toBe('carried');
      expect(readFileSync(join(mounted.path, 'etc/fstab'), 'utf8')).toContain(
        `UUID=${layout.slots[1]?.uuid}\t/\t${type}`,
      );
      expect(await readSlotVersion(mounted.path)).toMatchObject({ digest: two.digest });
      // What the version had there is not lost: the next update need not fetch it.
      const itsName = (await Array.fromAsync(two.entries())).flat().find(({ path }) => path === 'etc/hostname');
      const kept = readKeptConfiguration(mounted.path)(Buffer.from(itsName?.chunks?.[0]?.hash ?? []).toString('hex'));
      expect(Buffer.from(kept ?? []).toString('utf8')).not.toBe('web01\n');
      expect(kept?.length).toBe(itsName?.size);
      expect(await readdir(join(mounted.path, 'var/lib/imprint/objects/1/tree'))).toContain('etc');
    },
  );

  it('broken off anywhere is no version, and is filled by the next try', async () => {
    await using disk = await loopDisk(1024 * mebibyte);
    const [one, two] = versions as [UpdateContent, UpdateContent];
    const request = await requestFor(disk, slotLayout('ext4'));
    const fill = (content: UpdateContent) => fillPartitionSlot({ ...request, content, slot: 'b', device: disk.device });
    await fill(one);
    for (const cut of [0, 1, 4]) {
      const controller = new AbortController();
      let left = cut;
      const content = async (name: string) => {
        left -= 1;
        if (left < 0) controller.abort(new Error('cut'));
        return two.content(name);
      };
      const task = Task.silent(controller.signal);
      const broken = fillPartitionSlot({
        ...request,
        content: { ...two, content },
        slot: 'b',
        device: disk.device,
        task,
      });
      await expect(broken).rejects.toThrow();
      await using mounted = await mounting(disk.device, 'ext4', disk.directory);
      expect(await readSlotVersion(mounted.path)).toBeUndefined();
    }
    await fill(two);
    await using mounted = await mounting(disk.device, 'ext4', disk.directory);
    await expectVersion(mounted.path, two);
  });

  it('is made anew where what is in it cannot be built on', async () => {
    await using disk = await loopDisk(1024 * mebibyte);
    const [one, two] = versions as [UpdateContent, UpdateContent];
    const layout = slotLayout('ext4');
    const request = await requestFor(disk, layout);
    const fill = (content: UpdateContent) => fillPartitionSlot({ ...request, content, slot: 'b', device: disk.device });
    await run('mkfs.xfs', ['-q', '-f', disk.device]);
    expect((await fill(one)).report.reused).toBe(false);
    {
      await using mounted = await mounting(disk.device, 'ext4', disk.directory);
      await run('chattr', ['+i', join(mounted.path, 'srv/f3')]);
    }
    expect((await fill(two)).report.reused).toBe(false);
    {
      // Full of what nobody asked for: that goes, and there is room.
      await using mounted = await mounting(disk.device, 'ext4', disk.directory);
      await run('sh', ['-c', `head -c 2G /dev/zero >${mounted.path}/srv/junk 2>/dev/null || true`]);
    }
    expect((await fill(one)).report).toMatchObject({ reused: true });
    await run('debugfs', ['-w', '-R', 'ssv state 2', disk.device]);
    expect((await fill(two)).report.reused).toBe(false);
    await using mounted = await mounting(disk.device, 'ext4', disk.directory);
    await expectVersion(mounted.path, two);
  });

  it('is filled though somebody holds a copy of its mount', async () => {
    await using disk = await loopDisk(1024 * mebibyte);
    const [one, two] = versions as [UpdateContent, UpdateContent];
    const request = await requestFor(disk, slotLayout('ext4'));
    let held: RunningProcess | undefined;
    let seen = '';
    // A mount namespace of its own, made while the slot is mounted.
    const content = async (name: string) => {
      if (held === undefined) {
        seen = readFileSync('/proc/self/mountinfo', 'utf8');
        held = systemProcesses.start('unshare', ['--mount', 'sh', '-c', 'echo there; exec sleep 60']);
        await once(held.stdout, 'data');
      }
      return one.content(name);
    };
    try {
      await fillPartitionSlot({ ...request, content: { ...one, content }, slot: 'b', device: disk.device });
      await fillPartitionSlot({ ...request, content: two, slot: 'b', device: disk.device });
    } finally {
      await held?.stop();
    }
    expect(seen).toMatch(new RegExp(`${disk.directory}\\S* \\S*nosuid`));
    await using mounted = await mounting(disk.device, 'ext4', disk.directory);
    await expectVersion(mounted.path, two);
  });

  it('is refused where it is in use, too small, or not there', async () => {
    await using disk = await loopDisk(1024 * mebibyte);
    const [one] = versions as [UpdateContent];
    const request = { ...(await requestFor(disk, slotLayout('ext4'))), content: one, device: disk.device };
    await expect(fillPartitionSlot({ ...request, slot: 'z' })).rejects.toMatchObject({ code: 'slot-unfit' });
    await fillPartitionSlot({ ...request, slot: 'b' });
    {
      await using mounted = await mounting(disk.device, 'ext4', disk.directory);
      const before = await readdir(mounted.path);
      await expect(fillPartitionSlot({ ...request, slot: 'b' })).rejects.toMatchObject({ code: 'slot-unfit' });
      expect(await readdir(mounted.path)).toEqual(before);
    }
    await using small = await loopDisk(200 * mebibyte);
    await expect(fillPartitionSlot({ ...request, slot: 'b', device: small.device })).rejects.toMatchObject({
      code: 'slot-unfit',
    });
    const { device: _, ...unnamed } = request;
    await expect(fillPartitionSlot({ ...unnamed, slot: 'b' })).rejects.toMatchObject({ code: 'slot-unfit' });
  });
});

describe.skipIf(process.geteuid?.() !== 0)('an image file', () => {
  it.each<LoopType>(['ext4', 'xfs', 'btrfs'])('on %s is made from the one that runs', async (type) => {
    using disk = mountLoop(type, 4096);
    const [one, two, three] = versions as [UpdateContent, UpdateContent, UpdateContent];
    const layout: InstalledLayout = {
      ...{ format: 1, layout: 'files', boot: randomUUID(), esp: '1234-ABCD', slots: [] },
      host: { uuid: randomUUID(), partitionUuid: randomUUID(), fileSystem: type },
    };
    const stateDirectory = join(disk.path, 'data/imprint/object');
    const request = { ...(await requestFor({ directory: base }, layout, stateDirectory)), host: disk.path };
    const first = await fillFileSlot({ ...request, content: one });
    expect(first.report.reused).toBe(false);
    expect(first.entry).toMatchObject({ slot: 'file', id: `file-${one.digest.slice(7, 19)}` });
    const running = imagePath(one.digest);
    const referenced = [running];
    await using attached = await attachImage(systemProcesses, join(disk.path, running));
    await using root = await mounting(attached.device, 'ext4', base);
    // Written by the system that runs, and not flushed.
    await writeFile(join(root.path, 'srv/f3'), 'changed here');
    const before = await written(disk.path);
    const second = await fillFileSlot({ ...request, content: two, running, referenced });
    expect(second.report.reused).toBe(type !== 'ext4');
    if (type !== 'ext4') expect((await written(disk.path)) - before).toBeLessThan(40 * mebibyte);
    expect(second.entry.kernelOptions).toEqual(
      expect.arrayContaining([`imprint.image=${imagePath(two.digest)}`, `imprint.host=UUID=${layout.host?.uuid}`]),
    );
    await expectImage(disk.path, two);
    // Preallocated, no surprise for who writes into it; but on btrfs GRUB would stumble over what is reserved.
    const { size, blocks } = await stat(join(disk.path, imagePath(two.digest)));
    if (type !== 'btrfs') expect(blocks * 512).toBeGreaterThanOrEqual(size);
    await expect(fillFileSlot({ ...request, content: one, running, referenced })).rejects.toMatchObject({
      code: 'slot-unfit',
    });
    await fillFileSlot({ ...request, content: three, running, referenced });
    // Another one lies there by that name, and nothing needs it.
    await fillFileSlot({ ...request, content: two, running, referenced });
    await expectImage(disk.path, two);
    if (type !== 'ext4') {
      // Blocks that are shared now are taken from what is left, when the system that runs writes.
      const { bavail, bsize } = await statfs(disk.path);
      await run('fallocate', ['-l', String(bavail * bsize - 200 * mebibyte), join(disk.path, 'filler')]);
      await expect(
        fillFileSlot({ ...request, content: three, running, referenced: [running, imagePath(two.digest)] }),
      ).rejects.toMatchObject({
        code: 'slot-unfit',
      });
      await rm(join(disk.path, 'filler'));
    }
    expect(await removeUnreferencedImages(systemProcesses, disk.path, [])).toEqual([imagePath(two.digest)]);
    // It runs.
    expect(await readdir(join(disk.path, 'images'))).toEqual([running.slice('images/'.length)]);
    expect(await readdir(stateDirectory)).toEqual(['1', 'latest']);
  });

  it('leaves nothing of itself where it fails', async () => {
    using disk = mountLoop('btrfs', 2048);
    const [one] = versions as [UpdateContent];
    const layout: InstalledLayout = {
      ...{ format: 1, layout: 'files', boot: randomUUID(), esp: '1234-ABCD', slots: [] },
      host: { uuid: randomUUID(), partitionUuid: randomUUID(), fileSystem: 'btrfs' },
    };
    const request = { ...(await requestFor({ directory: base }, layout)), host: disk.path };
    const content = async () => Promise.reject(new Error('the store is gone'));
    await expect(fillFileSlot({ ...request, content: { ...one, content } })).rejects.toThrow('the store is gone');
    expect(await readdir(join(disk.path, 'images'))).toEqual([]);
    using small = mountLoop('btrfs', 512);
    await expect(fillFileSlot({ ...request, host: small.path, content: one })).rejects.toMatchObject({
      code: 'slot-unfit',
    });
  });
});

/** The system that runs: what makes it itself, and what was changed on it. */
async function makeRunning(root: string): Promise<void> {
  await makeGoldenTree(root);
  await writeFile(join(root, 'etc/hostname'), 'web01\n');
  await writeFile(join(root, 'etc/machine-id'), 'f'.repeat(32));
  await chmod(join(root, 'etc/machine-id'), 0o444);
  await rm(join(root, 'etc/ssh/ssh_host_rsa_key'));
  await writeFile(join(root, 'etc/ssh/ssh_host_ed25519_key'), 'key of web01', { mode: 0o600 });
  await mkdir(join(root, 'etc/imprint'), { recursive: true });
  await writeFile(join(root, 'etc/imprint/agent.yaml'), 'tries: 2\n');
  await mkdir(join(root, 'opt/carried/deep'), { recursive: true });
  await writeFile(join(root, 'opt/carried/deep/state'), 'carried');
  await symlink('deep/state', join(root, 'opt/carried/link'));
  await utimes(join(root, 'opt/carried/deep/state'), 5, 5);
}

function slotLayout(fileSystem: LoopType): InstalledLayout {
  const slot = (name: string) => ({ name, uuid: randomUUID(), partitionUuid: randomUUID(), fileSystem });
  return { format: 1, layout: 'slots', boot: randomUUID(), esp: '1234-ABCD', slots: [slot('a'), slot('b')] };
}

async function requestFor(
  disk: Pick<LoopDisk, 'directory'>,
  layout: InstalledLayout,
  stateDirectory = join(base, `running/var/lib/imprint/objects`),
): Promise<Omit<FillRequest, 'content'>> {
  const root = join(base, 'running');
  const [one] = versions as [UpdateContent];
  return {
    reference: 'web:9',
    layout,
    image: await readImageContent(one.entries()),
    object: await keepObject({ root, stateDirectory, carry: ['/opt/carried/'], known: one, clock: systemClock }),
    stateDirectory,
    mountAt: join(disk.directory, 'slot'),
    processes: systemProcesses,
    clock: systemClock,
    task: Task.silent(),
    makers: {
      detect: async () => ({ kind: 'initramfs-tools', modules: new Set() }),
      build: async () => Buffer.from('addition'),
    },
  };
}

/** Exactly the version, but for what is the machine's. */
async function expectVersion(root: string, { digest }: UpdateContent): Promise<void> {
  const found: string[] = [];
  const directory = rawPath(root);
  for await (const { path, attribute } of compareTree({ store, digest, directory, task: Task.silent() })) {
    if (attribute === 'mtime' && (await stat(join(root, path))).isDirectory()) continue;
    if (!machines.test(path)) found.push(`${path}: ${attribute}`);
  }
  expect(found).toEqual([]);
}

const machines =
  /^(etc\/(fstab|hostname|hosts|machine-id|imprint|ssh\/ssh_host_.*)|etc\/systemd\/system\/(imprint-own|sysinit).*|var\/lib\/(imprint|systemd\/random-seed|dbus)|opt|lost\+found|dev|proc|run|sys|tmp|data0|hostpart|boot\/(efi|loader)|scratch)(\/|$)/;

async function expectImage(host: string, version: UpdateContent): Promise<void> {
  await using loop = await attachImage(systemProcesses, join(host, imagePath(version.digest)), { readOnly: true });
  await run('e2fsck', ['-f', '-n', loop.device]);
  await using mounted = await mounting(loop.device, 'ext4', join(base, 'look'), 'ro,noload');
  await expectVersion(mounted.path, version);
  expect(await readFile(join(mounted.path, 'etc/hostname'), 'utf8')).toBe('web01\n');
}

/** Bytes that were written to the device of a file system, ever. */
async function written(path: string): Promise<number> {
  await run('sync', ['--file-system', path]);
  const { stdout } = await run('findmnt', ['--noheadings', '--output', 'SOURCE', path]);
  const counts = await readFile(`/sys/class/block/${basename(stdout.trim())}/stat`, 'utf8');
  return Number(counts.trim().split(/\s+/)[6]) * 512;
}

async function mounting(device: string, type: string, directory: string, options = 'noatime') {
  const path = join(directory, `mounted-${randomBytes(4).toString('hex')}`);
  await mkdir(path, { recursive: true });
  await run('mount', ['-t', type, '-o', options, device, path]);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await run('umount', [path]);
      await rm(path, { recursive: true });
    },
  };
}
