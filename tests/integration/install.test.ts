import { mkdir, open, readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { VersionRecord } from '../../src/contract/image.ts';
import type { InstallOptions } from '../../src/contract/machine.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import type { ImageContent } from '../../src/machine/image-content.ts';
import { executeInstall } from '../../src/operations/install/execute-install.ts';
import { freshIdentity } from '../../src/operations/install/fresh-identity.ts';
import type { InstallContext } from '../../src/operations/install/install-context.ts';
import { type InstallPlan, planInstall } from '../../src/planning/plan-install.ts';
import type { Step } from '../../src/planning/step.ts';
import { readMachineFacts } from '../../src/system/machine-facts.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { makeGoldenTree } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const { run } = systemProcesses;
const gibibyte = 1024 ** 3;
const isRoot = process.getuid?.() === 0;

const content: ImageContent = {
  kernels: [
    { version: '6.1.0-10-amd64', kernel: 'vmlinuz-6.1.0-10-amd64', initrd: 'initrd.img-6.1.0-10-amd64' },
    { version: '6.1.0-9-amd64', kernel: 'vmlinuz-6.1.0-9-amd64' },
  ],
  init: 'sbin/init',
  systemd: true,
  sshServer: true,
  selinux: false,
  hostKeys: [],
};

const record: VersionRecord = {
  format: 1,
  image: 'web',
  number: 3,
  digest: `sha256:${'a'.repeat(64)}`,
  manifestBytes: 1,
  created: '2026-01-01T00:00:00Z',
  source: {
    location: 'ssh://root@golden',
    hostName: 'golden',
    architecture: 'x86_64',
    bootMode: 'bios',
    kernelOptions: 'quiet console=ttyS0,115200',
    system: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
    disks: [],
    fileSystems: [],
  },
  stats: { entries: 30, files: 10, logicalBytes: 11e6, contentBytes: 11e6, newChunks: 0, newBytes: 0 },
  excluded: [],
  scrubbed: [],
  warnings: [],
};

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

async function contextFor(disk: LoopDisk): Promise<InstallContext> {
  const golden = join(disk.directory, 'golden');
  await makeGoldenTree(golden);
  return {
    processes: systemProcesses,
    clock: systemClock,
    target: join(disk.directory, 'target'),
    content,
    restore: async (target) => {
      await run('cp', ['-a', `${golden}/.`, target]);
    },
  };
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

async function checkDisk(disk: LoopDisk, steps: readonly Step[]): Promise<void> {
  const root = stepOf(steps, 'make-root');
  const table = JSON.parse((await run('sfdisk', ['--json', disk.device])).stdout).partitiontable;
  expect(table.label).toBe('gpt');
  expect((await run('sfdisk', ['--verify', disk.device])).stdout).toMatch(/No errors detected/);
  const fstype = async (device: string) =>
    (await run('blkid', ['-p', '-o', 'export', device])).stdout.split('\n').sort().join(' ');
  expect(await fstype(root.device)).toContain(`TYPE=${root.fileSystem}`);
  expect(await fstype(root.device)).toContain(`UUID=${root.uuid}`);
  const check = { ext4: ['fsck.ext4', '-f', '-n'], xfs: ['xfs_repair', '-n'], btrfs: ['btrfs', 'check'] };
  const [tool = '', ...args] = check[root.fileSystem];
  await run(tool, [...args, root.device]);
  const esp = stepOf(steps, 'install-uefi-boot').device;
  await run('fsck.vfat', ['-n', esp]);
  const efi = (await run('mdir', ['-i', esp, '-b', '::/EFI/BOOT'], { env: { MTOOLS_SKIP_CHECK: '1' } })).stdout;
  expect(efi).toContain('BOOTX64.EFI');
}

describe.skipIf(!isRoot)('an install on a loop device', { timeout: 120_000 }, () => {
  it.each(['ext4', 'xfs', 'btrfs'] as const)(
    'makes a disk with %s that both firmwares can start',
    async (fileSystem) => {
      await using disk = await loopDisk(3 * gibibyte);
      const context = await contextFor(disk);
      const { steps } = await plan(disk, { fileSystem });
      await install(context, steps);
      await checkDisk(disk, steps);

      const root = stepOf(steps, 'make-root');
      await mkdir(context.target, { recursive: true });
      await run('mount', ['-o', 'ro', root.device, context.target]);
      const text = (path: string) => readFile(join(context.target, path), 'utf8');
      expect(await text('etc/hostname')).toBe('web01\n');
      expect(await text('etc/hosts')).toBe('127.0.0.1\tlocalhost\n127.0.1.1\tweb01\n');
      expect(await text('etc/machine-id')).toMatch(/^(?!0123)[0-9a-f]{32}\n$/);
      expect(await text('etc/fstab')).toContain(`UUID=${root.uuid}\t/\t${fileSystem}`);
      expect(await text('etc/fstab')).toContain('tmpfs /scratch tmpfs size=1G 0 0');
      expect(await text('etc/ssh/ssh_host_rsa_key')).toContain('OPENSSH PRIVATE KEY');
      expect((await stat(join(context.target, 'etc/ssh/ssh_host_ed25519_key'))).mode & 0o777).toBe(0o600);
      expect(await readdir(join(context.target, 'var/lib/systemd'))).toEqual([]);
      const wanted = join(context.target, 'etc/systemd/system/multi-user.target.wants/imprint-first-boot.service');
      expect(await readlink(wanted)).toBe('/etc/systemd/system/imprint-first-boot.service');
      expect(await text('etc/systemd/system/imprint-first-boot.service')).toContain('ExecStart=');
      const certificate = join(
        context.target,
        'etc/systemd/system/sysinit.target.wants/imprint-own-certificate.service',
      );
      expect(await readlink(certificate)).toBe('/etc/systemd/system/imprint-own-certificate.service');
      expect(await text('etc/systemd/system/imprint-own-certificate.service')).toContain('make-ssl-cert generate');
      await run('sh', ['-n', join(context.target, 'usr/lib/imprint/first-boot')]);
      await run('grub-script-check', [join(context.target, 'boot/grub/grub.cfg')]);
      await run('umount', [context.target]);

      expect(await grubReads(disk, '/boot/vmlinuz-6.1.0-10-amd64')).toBe(true);
      expect(await grubReads(disk, '/boot/grub/i386-pc/normal.mod')).toBe(true);
    },
  );

  it('can be cut after any step, leaves nothing that boots, and begins anew', async () => {
    await using disk = await loopDisk(3 * gibibyte);
    // Making SSH keys is what takes long.
    const quick = { ...content, sshServer: false };
    const context = await contextFor(disk);
    const { steps: planned } = await plan(disk, {}, quick);
    for (let cut = 1; cut < planned.length; cut += 1) {
      const { steps } = await plan(disk, {}, quick);
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
      if (cut === planned.length - 2) await install(context, (await plan(disk, {}, quick)).steps);
    }
    const { steps } = await plan(disk, {}, quick);
    await install(context, steps);
    await checkDisk(disk, steps);
  });

  it('writes nothing to a disk that is in use, whatever was seen before', async () => {
    await using disk = await loopDisk(3 * gibibyte);
    const context = await contextFor(disk);
    const { steps } = await plan(disk, {});
    await install(context, steps);
    const again = await plan(disk, {});
    await mkdir(context.target, { recursive: true });
    const root = stepOf(steps, 'make-root').device;
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
