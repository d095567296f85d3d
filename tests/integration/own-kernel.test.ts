import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { type Context, createContext } from '../../src/operations/context.ts';
import { silentLog } from '../../src/operations/log.ts';
import { lookAtKernel } from '../../src/operations/media/live-imager.ts';
import { kernelOfImage, missingDrivers } from '../../src/operations/media/take-kernel.ts';
import { fakeProcesses } from '../fake-processes.ts';
import { captureInto } from './bare-machine.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type RunningServer, startServer } from './server-harness.ts';

const version = '6.1.0-10-amd64';
const modules = `lib/modules/${version}`;

/** A golden machine whose `/usr` is not merged, with links where other distributions have them. */
const files: Readonly<Record<string, string>> = {
  [`${modules}/modules.dep`]: [
    'kernel/drivers/net/ethernet/broadcom/bnx2x.ko.xz: kernel/lib/libcrc32c.ko.xz',
    'kernel/lib/libcrc32c.ko.xz:',
    'kernel/drivers/gpu/drm/i915.ko.xz:',
    'kernel/drivers/block/loop.ko.xz:',
    'kernel/fs/squashfs/squashfs.ko.xz:',
    'kernel/drivers/gpu/dm-snapshot.ko.xz: kernel/drivers/gpu/dm-mod.ko.xz',
  ].join('\n'),
  [`${modules}/modules.builtin`]: 'kernel/fs/overlayfs/overlay.ko\n',
  [`${modules}/kernel/drivers/net/ethernet/broadcom/bnx2x.ko.xz`]: 'bnx2x',
  [`${modules}/kernel/lib/libcrc32c.ko.xz`]: 'libcrc32c',
  [`${modules}/kernel/drivers/gpu/drm/i915.ko.xz`]: 'i915',
  [`${modules}/kernel/drivers/block/loop.ko.xz`]: 'loop',
  [`${modules}/kernel/fs/squashfs/squashfs.ko.xz`]: 'squashfs',
  'lib/firmware/bnx2x/bnx2x-e2-7.13.21.0.fw': 'firmware of the card',
  'lib/firmware/bnx2x/bnx2x-e1-7.13.21.0.fw.zst': 'compressed',
  'lib/firmware/i915/skl.bin': 'firmware of a screen',
};

describe('the kernel of an image, for the imager', { timeout: 60_000 }, () => {
  let server: RunningServer;
  let context: Context;
  let directory: string;

  beforeAll(async () => {
    server = await startServer();
    directory = await mkdtemp(join(tmpdir(), 'imprint-kernel-'));
    context = createContext({ data: server.data, log: silentLog, processes: modinfo });
    const golden = join(directory, 'golden');
    await makeGoldenTree(golden);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(golden, path)), { recursive: true });
      await writeFile(join(golden, path), text);
    }
    await symlink('bnx2x-e2-7.13.21.0.fw', join(golden, 'lib/firmware/bnx2x/bnx2x-e1h-7.13.21.0.fw'));
    await captureInto(server, golden);
  });
  afterAll(async () => {
    await context?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const modinfo = fakeProcesses((command) =>
    command.startsWith('modinfo') ? 'bnx2x/bnx2x-e1h-7.13.21.0.fw\nbnx2x/bnx2x-e1-*.fw\nbnx2x/gone.fw\n' : undefined,
  );
  const fill = async (reference: string, name: string) => {
    const target = join(directory, name);
    await mkdir(target);
    await (await kernelOfImage(context, reference, Task.silent())).fill(target);
    return target;
  };

  it('is known to lack what a live system needs of it, and not what is built in or called otherwise', async () => {
    const missing = async (names: string[]) => await missingDrivers(context, 'golden', names, Task.silent());
    expect((await missing(['overlay', 'loop', 'dm_snapshot'])).missing).toEqual([]);
    const lacks = ['nbd', 'crc32c', 'ext4'];
    expect(await missing([...lacks, 'loop'])).toEqual({ image: 'golden:1', version, missing: lacks });
    await expect(lookAtKernel(context, { reference: 'golden', form: 'usb' }, Task.silent())).rejects.toMatchObject({
      code: 'imager-unbuilt',
      message: expect.stringContaining(`golden:1 cannot run as a live system: its kernel ${version} has no nbd, ext4`),
      hint: expect.stringContaining('--live'),
    });
  });

  it('comes with the drivers that the imager wants, what they need and the firmware that they ask for', async () => {
    const target = await fill('golden', 'taken');
    const found = await readdir(target, { recursive: true, withFileTypes: true });
    const paths = found.filter((each) => !each.isDirectory()).map((each) => join(each.parentPath, each.name));
    expect(paths.map((path) => path.slice(target.length + 1)).sort()).toEqual([
      `boot/vmlinuz-${version}`,
      'usr/lib/firmware/bnx2x/bnx2x-e1-7.13.21.0.fw.zst',
      'usr/lib/firmware/bnx2x/bnx2x-e1h-7.13.21.0.fw',
      `usr/${modules}/kernel/drivers/block/loop.ko.xz`,
      `usr/${modules}/kernel/drivers/net/ethernet/broadcom/bnx2x.ko.xz`,
      `usr/${modules}/kernel/fs/squashfs/squashfs.ko.xz`,
      `usr/${modules}/kernel/lib/libcrc32c.ko.xz`,
      `usr/${modules}/modules.builtin`,
      `usr/${modules}/modules.dep`,
    ]);
    const firmware = join(target, 'usr/lib/firmware/bnx2x/bnx2x-e1h-7.13.21.0.fw');
    expect(await readFile(firmware, 'utf8')).toBe('firmware of the card');
    expect((await readFile(join(target, `boot/vmlinuz-${version}`))).length).toBe(3_000_000);
    expect(modinfo.commands.at(-1)).not.toContain('i915');
  });

  it('is refused where the imager could not start with it', async () => {
    const golden = join(directory, 'golden');
    await writeFile(join(golden, modules, 'modules.builtin'), '');
    await captureInto(server, golden);
    await expect(fill('golden', 'without')).rejects.toMatchObject({
      code: 'imager-unbuilt',
      message: expect.stringContaining(`golden:2 cannot drive it: its kernel ${version} has no overlay`),
    });
    await rm(join(golden, modules), { recursive: true });
    await captureInto(server, golden);
    await expect(fill('golden', 'none')).rejects.toThrow(`it has no modules for its kernel ${version}`);
    await expect(fill('web', 'no-kernel')).rejects.toThrow('it has no kernel in /boot');
  });

  it('may run live, and yet not find a stick', async () => {
    const golden = join(directory, 'golden');
    const lines = ['nbd', 'dm-mod', 'dm-snapshot', 'loop', 'ext4', 'isofs', 'vfat', 'sr_mod', 'ahci', 'sd_mod'];
    const index = join(golden, modules, 'modules.dep');
    await mkdir(dirname(index), { recursive: true });
    await writeFile(index, lines.map((name) => `kernel/${name}.ko.xz:\n`).join(''));
    await captureInto(server, golden);
    expect(await lookAtKernel(context, { reference: 'golden', form: 'iso' }, Task.silent())).toEqual([]);
    const onBtrfs = lookAtKernel(context, { reference: 'golden', form: 'iso', fileSystem: 'btrfs' }, Task.silent());
    await expect(onBtrfs).rejects.toMatchObject({
      code: 'imager-unbuilt',
      message: expect.stringMatching(/cannot run as a live system: its kernel \S+ has no btrfs/),
    });
    const [warning, ...more] = await lookAtKernel(context, { reference: 'golden', form: 'usb' }, Task.silent());
    expect(more).toEqual([]);
    expect(warning).toMatch(/golden:\d+, .*, has no usb_storage, xhci_pci: in a USB port it will not find/);
  });
});
