import { describe, expect, it } from 'vitest';
import { type VersionRecord, versionRecordSchema } from '../contract/image.ts';
import type { DiskFacts, InstallOptions, MachineFacts } from '../contract/machine.ts';
import type { ImageContent } from '../machine/image-content.ts';
import { type FreshIdentity, type InstallPlan, planInstall } from './plan-install.ts';
import { describeStep } from './step.ts';

const G = 1024 ** 3;
const M = 1024 ** 2;

const record: VersionRecord = versionRecordSchema.parse({
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
    kernelOptions: 'quiet',
    system: { id: 'debian', name: 'Debian 12' },
    disks: [],
    fileSystems: [],
  },
  stats: { entries: 60_000, files: 50_000, logicalBytes: 2 * G, contentBytes: 2 * G, newChunks: 0, newBytes: 0 },
  excluded: [],
  scrubbed: [],
  warnings: [],
});

const content: ImageContent = {
  kernels: [{ version: '6.1.0-10', kernel: 'vmlinuz-6.1.0-10', initrd: 'initrd.img-6.1.0-10' }],
  init: 'sbin/init',
  systemd: true,
  sshServer: true,
  selinux: false,
  hostKeys: [],
};

const fresh: FreshIdentity = {
  table: '00000000-0000-4000-8000-000000000001',
  partitions: {
    'bios-boot': '00000000-0000-4000-8000-000000000002',
    esp: '00000000-0000-4000-8000-000000000003',
    swap: '00000000-0000-4000-8000-000000000004',
    root: '00000000-0000-4000-8000-000000000005',
  },
  root: '00000000-0000-4000-8000-000000000006',
  swap: '00000000-0000-4000-8000-000000000007',
  espVolumeId: 'abcd1234',
  machineId: '0'.repeat(32),
};

interface Given {
  disk?: Partial<DiskFacts>;
  facts?: Partial<MachineFacts>;
  source?: Partial<VersionRecord['source']>;
  content?: Partial<ImageContent>;
  options?: InstallOptions;
  withoutContent?: boolean;
}

function planned(given: Given): InstallPlan {
  const disk: DiskFacts = {
    path: '/dev/vda',
    size: 20 * G,
    sectorSize: 512,
    removable: false,
    readOnly: false,
    content: 'empty',
    inUse: [],
    ...given.disk,
  };
  return planInstall({
    name: 'web01',
    facts: {
      architecture: 'x86_64',
      cpu: 'QEMU',
      cores: 1,
      memory: G,
      firmware: 'bios',
      interfaces: [],
      disks: [disk],
      ...given.facts,
    },
    reference: 'web:3',
    record: { ...record, source: { ...record.source, ...given.source } },
    ...(given.withoutContent ? {} : { content: { ...content, ...given.content } }),
    options: given.options ?? {},
    fresh,
    report: { server: 'http://10.0.0.1:8080', order: 'o', session: 's' },
  });
}

function steps(given: Given = {}) {
  const plan = planned(given);
  if (plan.kind === 'refused') throw plan.error;
  return plan.steps;
}

function table(given: Given): string[] {
  const step = steps(given).find((candidate) => candidate.kind === 'partition-disk');
  if (step?.kind !== 'partition-disk') throw new Error('no partitions');
  const { sectorSize, partitions } = step.table;
  return partitions.map(({ role, start, size }) => `${role} ${(start * sectorSize) / M}+${(size * sectorSize) / M}`);
}

describe('planInstall', () => {
  it('lays everything out, and touches what firmware starts last', () => {
    expect(steps().map(describeStep)).toEqual([
      'erase /dev/vda',
      'partition /dev/vda: bios-boot 1 MiB, esp 512 MiB, root 19.5 GiB',
      'make the EFI system partition on /dev/vda2',
      'make ext4 on /dev/vda3',
      'mount /dev/vda3',
      'restore web:3 (2 GiB)',
      'write /etc/fstab',
      'make it web01: host name, machine-id, SSH host keys',
      'write the boot menu: Linux 6.1.0-10',
      'have the first boot report to the server',
      'write everything out',
      'make /dev/vda boot on BIOS',
      'make /dev/vda2 boot on UEFI',
    ]);
  });

  it('can be sent and kept', () => {
    expect(JSON.parse(JSON.stringify(steps({ options: { swap: G } })))).toEqual(steps({ options: { swap: G } }));
  });

  it.each([
    ['a usual disk', {}, ['bios-boot 1+1', 'esp 2+512', 'root 514+19965']],
    ['a small disk', { disk: { size: 8 * G } }, ['bios-boot 1+1', 'esp 2+256', 'root 258+7933']],
    ['a very small disk', { disk: { size: 3 * G } }, ['bios-boot 1+1', 'esp 2+64', 'root 66+3005']],
    ['swap', { options: { swap: 1.5 * G } }, ['bios-boot 1+1', 'esp 2+512', 'swap 514+1536', 'root 2050+18429']],
    ['an odd size', { disk: { size: 20 * G + 12345 * 512 } }, ['bios-boot 1+1', 'esp 2+512', 'root 514+19971']],
    [
      'sectors of 4 KiB',
      { disk: { size: 8 * G, sectorSize: 4096 }, facts: { firmware: 'uefi' } },
      ['bios-boot 1+1', 'esp 2+512', 'root 514+7677'],
    ],
  ] satisfies [string, Given, string[]][])('partitions %s', (_what, given, expected) => {
    expect(table(given)).toEqual(expected);
  });

  it('names partitions as the kernel does', () => {
    expect(steps({ disk: { path: '/dev/nvme0n1' } }).map(describeStep)).toContain('make ext4 on /dev/nvme0n1p3');
  });

  it('gives swap to fstab and to the kernel', () => {
    const made = steps({ options: { swap: G } });
    expect(made).toContainEqual(
      expect.objectContaining({
        kind: 'write-fstab',
        mounts: expect.objectContaining({ swap: fresh.swap, esp: 'ABCD-1234' }),
      }),
    );
    const menu = made.find((step) => step.kind === 'write-boot-menu');
    expect(menu?.kind === 'write-boot-menu' && menu.menu.options).toEqual(['quiet', `resume=UUID=${fresh.swap}`]);
  });

  it.each([
    ['another architecture', { source: { architecture: 'aarch64' } }, 'image-unfit'],
    ['a machine that cannot be made to boot', { facts: { architecture: 'aarch64' } }, 'image-unfit'],
    ['no kernel', { content: { kernels: [] } }, 'image-unfit'],
    ['a BIOS with sectors of 4 KiB', { disk: { sectorSize: 4096 } }, 'image-unfit'],
    ['too small a disk', { disk: { size: 2 * G } }, 'disk-too-small'],
    ['too small with the swap', { disk: { size: 4 * G }, options: { swap: 2 * G } }, 'disk-too-small'],
    ['no disk', { facts: { disks: [] } }, 'disk-none'],
    ['a disk in use', { disk: { inUse: ['mounted'] } }, 'disk-in-use'],
    ['a rule that is none', { options: { disk: 'that one' } }, 'input-invalid'],
  ] satisfies [string, Given, string][])('refuses %s', (_what, given, code) => {
    const plan = planned(given);
    expect(plan.kind === 'refused' && plan.error.code).toBe(code);
  });

  it('refuses an image without an init', () => {
    const { init: _gone, ...rest } = content;
    const plan = planInstall({
      name: 'web01',
      facts: { architecture: 'x86_64', cpu: '', cores: 1, memory: G, firmware: 'bios', interfaces: [], disks: [] },
      reference: 'web:3',
      record,
      content: rest,
      options: {},
      fresh,
    });
    expect(plan.kind === 'refused' && plan.error.message).toMatch(/no init/);
  });

  it('runs a 32-bit image on a 64-bit machine', () => {
    expect(planned({ source: { architecture: 'i686' } }).kind).toBe('plan');
  });

  it('plans without the manifest, for a dry run', () => {
    expect(planned({ withoutContent: true }).kind).toBe('plan');
  });

  it('leaves out what the image or the disk has no use for', () => {
    const kinds = steps({ content: { systemd: false, sshServer: false } });
    expect(kinds.some(({ kind }) => kind === 'write-first-boot')).toBe(false);
    expect(kinds).toContainEqual(expect.objectContaining({ kind: 'write-identity', sshHostKeys: false }));
    const large = steps({ disk: { sectorSize: 4096 }, facts: { firmware: 'uefi' } });
    expect(large.some(({ kind }) => kind === 'install-bios-boot')).toBe(false);
  });
});
