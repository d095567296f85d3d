import { mkdir, open, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { InstallOptions } from '../../src/contract/machine.ts';
import { Task } from '../../src/foundation/task.ts';
import { executeInstall } from '../../src/operations/install/execute-install.ts';
import { freshIdentity } from '../../src/operations/install/fresh-identity.ts';
import type { InstallContext } from '../../src/operations/install/install-context.ts';
import { type InstallPlan, planInstall } from '../../src/planning/plan-install.ts';
import type { Step } from '../../src/planning/step.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { readMachineFacts } from '../../src/system/machine-facts.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { imageContent, versionRecord } from '../version-record.ts';
import { contextFor } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const { run } = systemProcesses;
const gibibyte = 1024 ** 3;
const isRoot = process.getuid?.() === 0;

const content = imageContent({
  kernels: [
    { version: '6.1.0-10-amd64', kernel: 'vmlinuz-6.1.0-10-amd64', initrd: 'initrd.img-6.1.0-10-amd64' },
    { version: '6.1.0-9-amd64', kernel: 'vmlinuz-6.1.0-9-amd64' },
  ],
});
const record = versionRecord({ number: 3 });

async function plan(disk: LoopDisk, options: InstallOptions, of = content): Promise<InstallPlan & { kind: 'plan' }> {
  const facts = await readMachineFacts(systemProcesses, [disk.device]);
  const planned = planInstall({
    name: 'web01',
    facts,
    reference: 'web:3',
    record,
    content: of,
    options: { ...options, disk: disk.device },
    fresh: freshIdentity(),
    report: { server: 'http://10.9.0.1:8080', order: 'order-1', session: 'f'.repeat(32) },
  });
  if (planned.kind === 'refused') throw planned.error;
  return planned;
}

async function install(context: InstallContext, steps: readonly Step[]): Promise<void> {
  await Task.run(
    'install',
    () => {},
    (task) => executeInstall('web01', steps, context, task),
  );
}

function stepOf<Kind extends Step['kind']>(steps: readonly Step[], kind: Kind): Extract<Step, { kind: Kind }> {
  const step = steps.find((candidate) => candidate.kind === kind);
  if (step === undefined) throw new Error(`no step ${kind}`);
  return step as Extract<Step, { kind: Kind }>;
}

/** GRUB itself, not the kernel, must be able to read what it boots from. */
async function grubReads(disk: LoopDisk, path: string): Promise<boolean> {
  const { stdout } = await run('grub-fstest', [disk.file, 'ls', `(loop0,gpt3)${path}`], { accept: [0, 1] });
  return stdout.trim() !== '';
}

interface Mounted extends AsyncDisposable {
  /** Where the root is. */
  readonly root: string;
  /** Where the host partition is, in the layout `files`. */
  readonly host: string;
}

/** Mounts what was installed, read-only: a root in its partition, or in its image file. */
async function mountInstalled(disk: LoopDisk, steps: readonly Step[]): Promise<Mounted> {
  const mounted: string[] = [];
  const mount = async (name: string, ...words: string[]) => {
    const directory = join(disk.directory, name);
    await mkdir(directory, { recursive: true });
    await run('mount', ['-o', words[1] ?? 'ro', words[0] ?? '', directory]);
    mounted.unshift(directory);
    return directory;
  };
  const image = steps.find((step) => step.kind === 'make-image');
  const host = image === undefined ? '' : await mount('mounted-host', stepOf(steps, 'make-host').device);
  const root =
    image === undefined
      ? await mount('mounted', stepOf(steps, 'mount-root').device)
      : await mount('mounted', join(host, 'hn-root.img'), 'loop,ro');
  return {
    root,
    host,
    async [Symbol.asyncDispose]() {
      for (const directory of mounted) await run('umount', [directory]);
    },
  };
}

const checkers = { ext4: ['fsck.ext4', '-f', '-n'], xfs: ['xfs_repair', '-n'], btrfs: ['btrfs', 'check'] };

async function checkFileSystem(device: string, type: keyof typeof checkers): Promise<void> {
  const [tool = '', ...args] = checkers[type];
  await run(tool, [...args, device]);
}

async function checkDisk(disk: LoopDisk, steps: readonly Step[]): Promise<void> {
  const table = JSON.parse((await run('sfdisk', ['--json', disk.device])).stdout).partitiontable;
  expect(table.label).toBe('gpt');
  expect((await run('sfdisk', ['--verify', disk.device])).stdout).toMatch(/No errors detected/);
  const said = async (device: string) => (await run('blkid', ['-p', '-o', 'export', device])).stdout.split('\n');
  for (const step of steps) {
    if (step.kind !== 'make-root' && step.kind !== 'make-host') continue;
    expect(await said(step.device)).toEqual(
      expect.arrayContaining([
        ...[`TYPE=${step.fileSystem}`, `UUID=${step.uuid}`],
        ...(step.kind === 'make-host' ? ['LABEL=hostpart'] : []),
      ]),
    );
    await checkFileSystem(step.device, step.fileSystem);
  }
  const boot = stepOf(steps, 'write-boot-partition');
  const known = [`UUID=${boot.layout.boot}`, 'LABEL=IMPRINT-BOOT', 'TYPE=ext4'];
  expect(await said(boot.device)).toEqual(expect.arrayContaining(known));
  await checkFileSystem(boot.device, 'ext4');
  const esp = stepOf(steps, 'install-uefi-boot').device;
  await run('fsck.vfat', ['-n', esp]);
  const efi = (await run('mdir', ['-i', esp, '-b', '::/EFI/BOOT'], { env: { MTOOLS_SKIP_CHECK: '1' } })).stdout;
  expect(efi).toContain('BOOTX64.EFI');
  expect(await said(esp)).toContain('LABEL=EFI-BOOT');
}

describe.skipIf(!isRoot)('an install on a loop device', { timeout: 120_000 }, () => {
  it.each([
    { layout: 'single', fileSystem: 'ext4' },
    { layout: 'single', fileSystem: 'btrfs' },
    { layout: 'slots', fileSystem: 'xfs' },
    { layout: 'slots', fileSystem: 'ext4', slots: 3 },
    { layout: 'files', fileSystem: 'ext4' },
    { layout: 'files', fileSystem: 'xfs' },
    { layout: 'files', fileSystem: 'btrfs' },
  ] satisfies InstallOptions[])(
    'makes a disk that both firmwares can start: $layout on $fileSystem',
    async (options) => {
      await using disk = await loopDisk(3 * gibibyte);
      const context = await contextFor(disk, content);
      const { steps } = await plan(disk, options);
      await install(context, steps);
      await checkDisk(disk, steps);

      const { layout, entry } = stepOf(steps, 'write-boot-partition');
      {
        await using mounted = await mountInstalled(disk, steps);
        const { root, host } = mounted;
        const text = (path: string) => readFile(join(root, path), 'utf8');
        expect(await text('etc/hostname')).toBe('web01\n');
        expect(await text('etc/hosts')).toBe('127.0.0.1\tlocalhost\n127.0.1.1\tweb01\n');
        expect(await text('etc/machine-id')).toMatch(/^(?!0123)[0-9a-f]{32}\n$/);
        const fstab = await text('etc/fstab');
        const uuid = layout.host === undefined ? layout.slots[0]?.uuid : stepOf(steps, 'make-image').uuid;
        expect(fstab).toContain(`UUID=${uuid}\t/\t${layout.host === undefined ? options.fileSystem : 'ext4'}`);
        expect(fstab).toContain('tmpfs /scratch tmpfs size=1G 0 0');
        expect(await text('etc/ssh/ssh_host_rsa_key')).toContain('OPENSSH PRIVATE KEY');
        expect((await stat(join(root, 'etc/ssh/ssh_host_ed25519_key'))).mode & 0o777).toBe(0o600);
        expect(await readdir(join(root, 'var/lib/systemd'))).toEqual([]);
        const wanted = join(root, 'etc/systemd/system/multi-user.target.wants/imprint-first-boot.service');
        expect(await readlink(wanted)).toBe('/etc/systemd/system/imprint-first-boot.service');
        expect(await text('etc/systemd/system/imprint-first-boot.service')).toContain('ExecStart=');
        const certificate = join(root, 'etc/systemd/system/sysinit.target.wants/imprint-own-certificate.service');
        expect(await readlink(certificate)).toBe('/etc/systemd/system/imprint-own-certificate.service');
        expect(await text('etc/systemd/system/imprint-own-certificate.service')).toContain('make-ssl-cert generate');
        await run('sh', ['-n', join(root, 'usr/lib/imprint/first-boot')]);
        expect(await text('var/lib/imprint/version.json')).toBe('{}');
        expect(await text('var/lib/imprint/manifest')).toBe('manifest');
        if (layout.host !== undefined) {
          expect(fstab).toContain(`UUID=${layout.host.uuid}\t/hostpart\t${options.fileSystem}\t`);
          expect(fstab).toContain('\t/boot/loader\tvfat\t');
          expect(await readlink(join(root, 'data0'))).toBe('/hostpart/data');
          expect((await readdir(host)).filter((name) => name !== 'lost+found').sort()).toEqual([
            ...['data', 'hn-root.img', 'images'],
          ]);
          const image = await stat(join(host, 'hn-root.img'));
          if (options.fileSystem !== 'btrfs') expect(image.blocks * 512, 'no hole').toBeGreaterThanOrEqual(image.size);
        }
      }
      if (layout.layout === 'slots') {
        expect(layout.slots).toHaveLength(options.layout === 'slots' && 'slots' in options ? 3 : 2);
      }
      expect(await grubReads(disk, `/slots/${entry.id}/vmlinuz`)).toBe(true);
      {
        await using boot = await BootPartition.open(systemProcesses, stepOf(steps, 'write-boot-partition').device, {
          ...{ readOnly: true, mountAt: join(disk.directory, 'mounted-boot') },
        });
        expect(await boot.layout()).toEqual(layout);
        expect(await boot.pointer()).toEqual({ sequence: 1, good: entry.id, tries: 0 });
        const [only, ...others] = await boot.entries();
        expect(others).toEqual([]);
        const { id, slot, reference, digest, title } = entry;
        expect(only).toMatchObject({ id, slot, reference, digest, title, kernelVersion: '6.1.0-10-amd64' });
        expect(Object.keys(only?.files ?? {}).sort()).toEqual(['addition.cpio', 'initrd', 'vmlinuz']);
        expect(only?.kernelOptions).toEqual(
          expect.arrayContaining([
            ...['ro', 'quiet', 'console=ttyS0,115200', 'panic=30', 'boot=imprint'],
            ...(layout.host === undefined
              ? [`root=UUID=${layout.slots[0]?.uuid}`]
              : [`imprint.host=UUID=${layout.host.uuid}`, `imprint.image=${stepOf(steps, 'make-image').path}`]),
          ]),
        );
      }
      expect(await grubReads(disk, '/grub/i386-pc/normal.mod')).toBe(true);
      expect(await grubReads(disk, '/grub/grub.cfg')).toBe(true);
    },
  );

  it.each([{}, { layout: 'files', fileSystem: 'xfs' }] satisfies InstallOptions[])(
    'can be cut after any step, leaves nothing that boots, and begins anew: %o',
    async (options) => {
      await using disk = await loopDisk(3 * gibibyte);
      // Making SSH keys is what takes long.
      const quick = { ...content, sshServer: false };
      const context = await contextFor(disk, content);
      const { steps: planned } = await plan(disk, options, quick);
      for (let cut = 1; cut < planned.length; cut += 1) {
        const { steps } = await plan(disk, options, quick);
        let reached = 0;
        const cutShort = Task.run(
          'install',
          () => {},
          (task) =>
            executeInstall('web01', steps, context, task, {
              reached: () => {
                if (reached === cut) throw new Error('power is gone');
                reached += 1;
              },
            }),
        );
        await expect(cutShort).rejects.toThrow('power is gone');
        const done = steps.slice(0, cut).map(({ kind }) => kind);
        if (!done.includes('install-bios-boot')) expect(await bootCode(disk)).toEqual(Buffer.alloc(440));
        const facts = await readMachineFacts(systemProcesses, [disk.device]);
        expect(facts.disks.find(({ path }) => path === disk.device)?.inUse).toEqual([]);
        // The next round finds boot code on the disk, as after an earlier system.
        if (options.layout === undefined && cut === planned.length - 2)
          await install(context, (await plan(disk, options, quick)).steps);
      }
      const { steps } = await plan(disk, options, quick);
      await install(context, steps);
      await checkDisk(disk, steps);
    },
  );

  it('writes nothing to a disk that is in use, whatever was seen before', async () => {
    await using disk = await loopDisk(3 * gibibyte);
    const context = await contextFor(disk, content);
    const { steps } = await plan(disk, {});
    await install(context, steps);
    const again = await plan(disk, {});
    await mkdir(context.target, { recursive: true });
    const root = stepOf(steps, 'mount-root').device;
    const elsewhere = join(disk.directory, 'elsewhere');
    await mkdir(elsewhere);
    await run('mount', ['-o', 'ro', root, elsewhere]);
    await expect(install(context, again.steps)).rejects.toMatchObject({ code: 'disk-in-use' });
    await expect(plan(disk, {})).rejects.toMatchObject({ code: 'disk-in-use' });
    await run('umount', [elsewhere]);
    await checkDisk(disk, steps);
  });
});

async function bootCode(disk: LoopDisk): Promise<Buffer> {
  await using file = await open(disk.file);
  const { buffer } = await file.read(Buffer.alloc(440), 0, 440, 0);
  return buffer;
}
