import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readdir, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CaptureOutput, CaptureRequest } from '../../src/contract/operations/capture.ts';
import { exportInputSchema } from '../../src/contract/operations/exports.ts';
import { toImprintError } from '../../src/foundation/errors.ts';
import { Task } from '../../src/foundation/task.ts';
import { captureImage } from '../../src/operations/capture-image.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { exportImage } from '../../src/operations/export-image.ts';
import { listEntries } from '../../src/operations/list-entries.ts';
import { silentLog } from '../../src/operations/log.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { makeEveryEntry } from './every-entry.ts';
import { makeGoldenTree } from './install-tree.ts';

const { run } = systemProcesses;
/** No process has a number as high as this. */
const mostProcesses = 2 ** 22 + 1;
const isRoot = process.getuid?.() === 0;
let work: string;
let context: Context;
/** A tree with every kind of entry and a kernel; nothing of it is left out. */
let every: CaptureOutput;
const whole = { noDefaultExcludes: true, keepSecrets: true };

beforeAll(async () => {
  if (!isRoot) return;
  work = await mkdtemp(join(tmpdir(), 'imprint-disk-test-'));
  context = createContext({ data: join(work, 'data'), log: silentLog });
  makeEveryEntry(join(work, 'every'));
  await makeGoldenTree(join(work, 'every'));
  every = await capture(join(work, 'every'), 'every', whole);
});
afterAll(async () => {
  if (!isRoot) return;
  await context[Symbol.asyncDispose]();
  execFileSync('rm', ['-rf', work]);
});

function capture(source: string, name: string, more: Partial<CaptureRequest> = {}): Promise<CaptureOutput> {
  return captureImage(context, { source, name, ...more }, Task.silent());
}

function write(reference: string, file: string, more: Record<string, unknown> = {}) {
  const format = file.endsWith('.qcow2') ? 'qcow2' : 'raw';
  const input = exportInputSchema.parse({ reference, target: join(work, file), format, ...more });
  return exportImage(context, input, Task.silent());
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}

async function table(file: string): Promise<{ start: number; size: number; name?: string; uuid: string }[]> {
  return JSON.parse((await run('sfdisk', ['--json', join(work, file)])).stdout).partitiontable.partitions;
}

/** Type, UUID and label of what lies on each partition. */
async function holds(file: string): Promise<string[]> {
  const partitions = await table(file);
  return Promise.all(
    partitions.map(async ({ start, size }) => {
      const place = ['--offset', String(start * 512), '--size', String(size * 512)];
      const { stdout } = await run('blkid', ['--probe', '--output', 'export', ...place, join(work, file)], {
        accept: [0, 2],
      });
      const words = stdout.split('\n').filter((line) => /^(TYPE|UUID|LABEL)=/.test(line));
      return words.sort().join(' ');
    }),
  );
}

const problem = (doing: Promise<unknown>) =>
  doing.then(
    () => 'done',
    (error: unknown) => `${toImprintError(error).code}: ${toImprintError(error).message}`,
  );

describe.skipIf(!isRoot)('a disk image', { timeout: 120_000 }, () => {
  it('holds a tree with every kind of entry, which comes back the same from raw and qcow2', async () => {
    const written = await write('every', 'every.raw');
    expect(written.warnings).toEqual([]);
    const root = (await table('every.raw')).at(-1);
    await run('e2fsck', ['-f', '-n', `${join(work, 'every.raw')}?offset=${(root?.start ?? 0) * 512}`]);
    await run('sfdisk', ['--verify', join(work, 'every.raw')]);
    const before = await hashOf(join(work, 'every.raw'));
    const again = await capture(join(work, 'every.raw'), 'again', whole);
    expect(again.digest).toBe(every.digest);
    expect(again.stats.newChunks).toBe(0);
    expect(await hashOf(join(work, 'every.raw'))).toBe(before);

    await write('every', 'every.qcow2', { compression: 'zstd' });
    await run('qemu-img', ['check', '-q', join(work, 'every.qcow2')]);
    await run('qemu-img', ['compare', '-q', join(work, 'every.raw'), join(work, 'every.qcow2')]);
    expect((await capture(join(work, 'every.qcow2'), 'again', whole)).digest).toBe(every.digest);
    expect((await readdir(tmpdir())).filter((name) => name.startsWith(`imprint-disk-${process.pid}-`))).toEqual([]);
  });

  it('is the same bytes each time, wherever and however it is written', async () => {
    await write('every', 'second.raw');
    expect(await hashOf(join(work, 'second.raw'))).toBe(await hashOf(join(work, 'every.raw')));
    await write('every', 'second.qcow2', { compression: 'zstd' });
    expect(await hashOf(join(work, 'second.qcow2'))).toBe(await hashOf(join(work, 'every.qcow2')));
  });

  it('takes the size that it is given, and refuses one that is too small', async () => {
    const { bytes } = await write('every', 'sized.raw', { size: 3 * 2 ** 30 });
    expect(bytes).toBe(3 * 2 ** 30);
    expect((await stat(join(work, 'sized.raw'))).size).toBe(bytes);
    expect(await problem(write('every', 'small.raw', { size: 100 * 2 ** 20 }))).toMatch(/^export-unfit: .*too small/);
    expect((await readdir(work)).filter((name) => name.includes('small'))).toEqual([]);
  });

  it('gives the tree every file system that its own fstab looks for', async () => {
    const tree = join(work, 'many');
    await makeGoldenTree(tree);
    for (const path of ['boot/efi/EFI/debian', 'home/user', 'lost+found'])
      await mkdir(join(tree, path), { recursive: true });
    await writeFile(join(tree, 'boot/efi/EFI/debian/A long name.efi'), Buffer.alloc(700_000, 'efi'));
    await writeFile(join(tree, 'boot/efi/EFI/debian/grub.cfg'), 'configfile\n');
    await writeFile(join(tree, 'home/user/note'), 'note');
    execFileSync('ln', [join(tree, 'home/user/note'), join(tree, 'home/user/same')]);
    const fstab = [
      'LABEL=my\\040root / ext4 defaults 0 1',
      'UUID=0c7b5b3e-2f6c-4b9e-9a53-2d8a4c1f0a01 /boot ext4 defaults 0 2',
      'UUID=ABCD-1234 /boot/efi vfat umask=0077 0 1',
      'PARTLABEL=homes /home ext4 nodev 0 2',
      'UUID=0c7b5b3e-2f6c-4b9e-9a53-2d8a4c1f0a02 none swap sw 0 0',
      '/dev/sdb1 /data ext4 nofail 0 2',
      '',
    ];
    await writeFile(join(tree, 'etc/fstab'), fstab.join('\n'));
    // As a FAT file system shows them, mounted with that mask.
    const { stdout } = await run('find', [join(tree, 'boot/efi')]);
    for (const path of stdout.trim().split('\n')) {
      await chmod(path, 0o700);
      await utimes(path, 0, path.endsWith('/efi') ? 0 : 1_700_000_000);
    }
    const captured = await capture(tree, 'many', whole);
    const written = await write('many', 'many.raw');
    expect(written.warnings).toEqual([expect.stringContaining('/dev/sdb1')]);
    expect(await holds('many.raw')).toEqual([
      '',
      expect.stringMatching(/^LABEL=IMPRINT TYPE=vfat/),
      'TYPE=ext4 UUID=0c7b5b3e-2f6c-4b9e-9a53-2d8a4c1f0a01',
      'TYPE=vfat UUID=ABCD-1234',
      expect.stringMatching(/^TYPE=ext4/),
      'TYPE=swap UUID=0c7b5b3e-2f6c-4b9e-9a53-2d8a4c1f0a02',
      expect.stringMatching(/^LABEL=my.* root TYPE=ext4/),
    ]);
    for (const compression of ['none', 'gzip']) {
      await write('many', `many-${compression}.qcow2`, { compression });
      await run('qemu-img', ['compare', '-q', join(work, 'many.raw'), join(work, `many-${compression}.qcow2`)]);
    }
    const again = await capture(join(work, 'many.raw'), 'many-again', whole);
    expect(again.warnings).toEqual([expect.stringContaining('/dev/sdb1')]);
    expect(again.digest).toBe(captured.digest);
  });

  it('refuses what would not boot', async () => {
    await mkdir(join(work, 'bare/etc'), { recursive: true });
    await capture(join(work, 'bare'), 'bare');
    expect(await problem(write('bare', 'bare.raw'))).toMatch(/^export-unfit: .*holds no kernel/);
  });

  it('replays a journal on a copy, never in the user’s file', async () => {
    await using file = await open(join(work, 'dirty.raw'), 'w');
    await file.truncate(64 * 2 ** 20);
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', join(work, 'dirty.raw')]);
    const mount = join(work, 'mount');
    await mkdir(mount);
    await run('mount', ['-o', 'loop', join(work, 'dirty.raw'), mount]);
    await mkdir(join(mount, 'etc'));
    await mkdir(join(mount, 'usr'));
    await writeFile(join(mount, 'etc/os-release'), 'ID=debian\n');
    await run('sync', ['-f', mount]);
    // As a machine leaves it whose power was cut.
    await run('cp', ['--sparse=always', join(work, 'dirty.raw'), join(work, 'cut.raw')]);
    await run('umount', [mount]);
    expect((await run('dumpe2fs', ['-h', join(work, 'cut.raw')])).stdout).toContain('needs_recovery');
    const before = await hashOf(join(work, 'cut.raw'));
    const captured = await capture(join(work, 'cut.raw'), 'cut', whole);
    expect(captured.stats.files).toBe(1);
    expect(await hashOf(join(work, 'cut.raw'))).toBe(before);

    // What a killed capture left mounted goes with the next one.
    const left = join(tmpdir(), `imprint-disk-${mostProcesses}-left`);
    await mkdir(join(left, 'root'), { recursive: true });
    await run('cp', ['--sparse=always', join(work, 'dirty.raw'), join(left, 'partition-1.raw')]);
    await run('mount', ['-o', 'loop,ro', join(left, 'partition-1.raw'), join(left, 'root')]);
    expect((await capture(join(work, 'dirty.raw'), 'cut', whole)).digest).toBe(captured.digest);
    expect(existsSync(left)).toBe(false);
    expect((await run('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'])).stdout).not.toContain(left);
  });

  it.each(['xfs', 'btrfs'] as const)(
    'finds a root on %s, in a subvolume too, and what its fstab mounts beside it',
    async (type) => {
      const image = join(work, `${type}.raw`);
      await writeFile(image, '');
      await truncate(image, 700 * 2 ** 20);
      await run('sfdisk', ['--quiet', image], { input: 'label: dos\nsize=340MiB, type=83\nsize=340MiB, type=83\n' });
      const uuids = ['0c7b5b3e-2f6c-4b9e-9a53-2d8a4c1f0b01', '0c7b5b3e-2f6c-4b9e-9a53-2d8a4c1f0b02'] as const;
      const mount = join(work, `${type}-mount`);
      await mkdir(mount);
      const starts = JSON.parse((await run('sfdisk', ['--json', image])).stdout).partitiontable.partitions;
      for (const [index, uuid] of uuids.entries()) {
        const place = ['--offset', String(starts[index].start * 512), '--sizelimit', String(starts[index].size * 512)];
        const device = (await run('losetup', ['--find', '--show', ...place, image])).stdout.trim();
        if (type === 'xfs') await run('mkfs.xfs', ['-q', '-m', `uuid=${uuid}`, device]);
        else await run('mkfs.btrfs', ['-q', '-U', uuid, device]);
        await run('mount', [device, mount]);
        if (index === 1) await writeFile(join(mount, 'served'), 'served');
        else {
          const root = type === 'xfs' ? mount : join(mount, '@');
          if (type === 'btrfs') await run('btrfs', ['subvolume', 'create', root]);
          for (const path of ['etc', 'usr', 'srv']) await mkdir(join(root, path));
          const options = type === 'btrfs' ? 'subvol=@' : 'defaults';
          const lines = [`UUID=${uuids[0]} / ${type} ${options} 0 0`, `UUID=${uuids[1]} /srv ${type} defaults 0 0`, ''];
          await writeFile(join(root, 'etc/fstab'), lines.join('\n'));
        }
        await run('umount', [mount]);
        await run('losetup', ['--detach', device]);
      }
      const captured = await capture(image, type, whole);
      expect(captured.warnings).toEqual([]);
      const found: string[] = [];
      const input = { reference: type, recursive: true, directory: false };
      for await (const batch of listEntries(context, input, Task.silent()))
        found.push(...batch.map(({ path }) => path));
      expect(found).toEqual(['etc', 'etc/fstab', 'srv', 'srv/served', 'usr']);
    },
  );

  it('says what is wrong with what is no disk', async () => {
    await writeFile(join(work, 'junk'), Buffer.alloc(1 << 20, 'junk'));
    expect(await problem(capture(`disk:${join(work, 'junk')}`, 'junk'))).toMatch(/^source-unfit: /);
    await writeFile(join(work, 'cut.qcow2'), Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'));
    expect(await problem(capture(join(work, 'cut.qcow2'), 'junk'))).toMatch(/^source-unfit: /);
    await writeFile(join(work, 'empty.raw'), '');
    await truncate(join(work, 'empty.raw'), 64 * 2 ** 20);
    await run('sfdisk', ['--quiet', join(work, 'empty.raw')], { input: 'label: gpt\nsize=10MiB\n' });
    expect(await problem(capture(join(work, 'empty.raw'), 'junk'))).toMatch(/^source-unfit: .*none of its partitions/);
  });
});
