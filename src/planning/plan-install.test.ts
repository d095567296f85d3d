import { describe, expect, it } from 'vitest';
import { imageContent, versionRecord } from '../../tests/version-record.ts';
import type { VersionRecord } from '../contract/image.ts';
import type { DiskFacts, InstallOptions, MachineFacts } from '../contract/machine.ts';
import type { BootRoot } from '../machine/boot-arguments.ts';
import type { ImageContent } from '../machine/image-content.ts';
import { partitionName } from '../machine/partition-table.ts';
import { type FreshIdentity, type InstallPlan, planInstall } from './plan-install.ts';
import { describeStep, type FirstEntry } from './step.ts';

const G = 1024 ** 3;
const M = 1024 ** 2;

const debian = versionRecord({
  number: 3,
  stats: { entries: 60_000, files: 50_000, logicalBytes: 2 * G, contentBytes: 2 * G, newChunks: 0, newBytes: 0 },
});
const record: VersionRecord = { ...debian, source: { ...debian.source, kernelOptions: 'quiet' } };
const content = imageContent();

const names = (digit: number) => ({
  partition: `00000000-0000-4000-8000-0000000000a${digit}`,
  uuid: `00000000-0000-4000-8000-0000000000b${digit}`,
});

const fresh: FreshIdentity = {
  table: '00000000-0000-4000-8000-000000000001',
  biosBoot: names(0),
  esp: names(1),
  boot: names(2),
  swap: names(3),
  root: names(4),
  slots: [5, 6, 7].map(names),
  data: [0, 1, 2, 3, 4, 5, 6, 7].map(names),
  image: '00000000-0000-4000-8000-00000000000c',
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
  network?: Parameters<typeof planInstall>[0]['network'];
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
    ...(given.network && { network: given.network }),
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
  return partitions.map((each) => {
    const { start, size } = each;
    return `${partitionName(each)} ${(start * sectorSize) / M}+${(size * sectorSize) / M}`;
  });
}

function entry(given: Given = {}): FirstEntry {
  const step = steps(given).find(({ kind }) => kind === 'write-boot-partition');
  if (step?.kind !== 'write-boot-partition') throw new Error('no boot partition');
  return step.entry;
}

describe('planInstall', () => {
  it('lays everything out, and touches what firmware starts last', () => {
    expect(steps().map(describeStep)).toEqual([
      'erase /dev/vda',
      'partition /dev/vda: bios-boot 1 MiB, esp 512 MiB, boot 512 MiB, root 19 GiB',
      'make the EFI system partition on /dev/vda2',
      'make ext4 on /dev/vda4',
      'mount /dev/vda4',
      'restore web:3 (2 GiB)',
      'write /etc/fstab',
      'make it web01: host name, machine-id, SSH host keys',
      'install the agent',
      'write the boot partition /dev/vda3: Linux 6.1.0-10',
      'write everything out',
      'make /dev/vda boot on BIOS',
      'make /dev/vda2 boot on UEFI',
    ]);
  });

  it('makes equal system partitions, and fills the first', () => {
    expect(steps({ options: { layout: 'slots', slots: 3, fileSystem: 'xfs' } }).map(describeStep)).toEqual([
      'erase /dev/vda',
      'partition /dev/vda: bios-boot 1 MiB, esp 512 MiB, boot 512 MiB, slot a 6.33 GiB, slot b 6.33 GiB, slot c 6.33 GiB',
      'make the EFI system partition on /dev/vda2',
      'make xfs on /dev/vda4 (slot a)',
      'make xfs on /dev/vda5 (slot b)',
      'make xfs on /dev/vda6 (slot c)',
      'mount /dev/vda4',
      'restore web:3 (2 GiB)',
      'write /etc/fstab',
      'make it web01: host name, machine-id, SSH host keys',
      'install the agent',
      'write the boot partition /dev/vda3: Linux 6.1.0-10',
      'write everything out',
      'make /dev/vda boot on BIOS',
      'make /dev/vda2 boot on UEFI',
    ]);
  });

  it('makes a host partition, and an image file on it', () => {
    expect(steps({ options: { layout: 'files', fileSystem: 'btrfs' } }).map(describeStep)).toEqual([
      'erase /dev/vda',
      'partition /dev/vda: bios-boot 1 MiB, esp 512 MiB, boot 512 MiB, host 19 GiB',
      'make the EFI system partition on /dev/vda2',
      'make the host partition on /dev/vda4: btrfs',
      'mount /dev/vda4',
      'make an image file of 6.04 GiB',
      'restore web:3 (2 GiB)',
      'write /etc/fstab',
      'make it web01: host name, machine-id, SSH host keys',
      'install the agent',
      'write the boot partition /dev/vda3: Linux 6.1.0-10',
      'write everything out',
      'make /dev/vda boot on BIOS',
      'make /dev/vda2 boot on UEFI',
    ]);
  });

  it('tells the boot partition what it is the boot partition of', () => {
    const layoutOf = (options: InstallOptions) => {
      const step = steps({ options }).find(({ kind }) => kind === 'write-boot-partition');
      return step?.kind === 'write-boot-partition' ? step.layout : undefined;
    };
    const common = { format: 1, boot: names(2).uuid, esp: 'ABCD-1234' };
    const slot = (name: string, digit: number, fileSystem: string) => ({
      ...{ name, uuid: names(digit).uuid, partitionUuid: names(digit).partition, fileSystem },
    });
    expect(layoutOf({})).toEqual({ ...common, layout: 'single', slots: [slot('root', 4, 'ext4')] });
    expect(layoutOf({ layout: 'slots', swap: G, fileSystem: 'xfs' })).toEqual({
      ...common,
      ...{ layout: 'slots', swap: names(3).uuid, slots: [slot('a', 5, 'xfs'), slot('b', 6, 'xfs')] },
    });
    expect(layoutOf({ layout: 'files', fileSystem: 'btrfs' })).toEqual({
      ...common,
      ...{ layout: 'files', slots: [] },
      host: { uuid: names(4).uuid, partitionUuid: names(4).partition, fileSystem: 'btrfs' },
    });
  });

  it.each([
    ['single', {}, 'root-aaaaaaaaaaaa', { purpose: 'in-place', uuid: names(4).uuid }],
    ['slots', { layout: 'slots' }, 'a-aaaaaaaaaaaa', { purpose: 'partition', uuid: names(5).uuid }],
    [
      'files',
      { layout: 'files' },
      'file-aaaaaaaaaaaa',
      { purpose: 'file', host: names(4).uuid, image: `images/${'a'.repeat(64)}.img` },
    ],
  ] satisfies [string, InstallOptions, string, BootRoot][])(
    'names the root of the layout %s',
    (_layout, options, id, root) => {
      const slot = id.replace(/-.*/, '');
      expect(entry({ options })).toEqual({
        ...{
          id,
          slot,
          ...(slot === 'a' ? { system: 'web' } : {}),
          reference: 'web:3',
          digest: record.digest,
          title: 'web:3 · Debian GNU/Linux 12 (bookworm)',
          root,
        },
        ...{ kernel: content.kernels[0], options: ['quiet', 'noresume'] },
      });
    },
  );

  it.each([
    ['a usual disk', {}, ['bios-boot 1+1', 'esp 2+512', 'boot 514+512', 'root 1026+19453']],
    ['a small disk', { disk: { size: 8 * G } }, ['bios-boot 1+1', 'esp 2+256', 'boot 258+512', 'root 770+7421']],
    ['a very small disk', { disk: { size: 3.5 * G } }, ['bios-boot 1+1', 'esp 2+64', 'boot 66+256', 'root 322+3261']],
    [
      'swap',
      { options: { swap: 1.5 * G } },
      ['bios-boot 1+1', 'esp 2+512', 'boot 514+512', 'swap 1026+1536', 'root 2562+17917'],
    ],
    [
      'an odd size',
      { disk: { size: 20 * G + 12345 * 512 } },
      ['bios-boot 1+1', 'esp 2+512', 'boot 514+512', 'root 1026+19459'],
    ],
    [
      'sectors of 4 KiB',
      { disk: { size: 8 * G, sectorSize: 4096 }, facts: { firmware: 'uefi' } },
      ['bios-boot 1+1', 'esp 2+512', 'boot 514+512', 'root 1026+7165'],
    ],
  ] satisfies [string, Given, string[]][])('partitions %s', (_what, given, expected) => {
    expect(table(given)).toEqual(expected);
  });

  it('names partitions as the kernel does', () => {
    expect(steps({ disk: { path: '/dev/nvme0n1' } }).map(describeStep)).toContain('make ext4 on /dev/nvme0n1p4');
  });

  it('gives swap to fstab and to the kernel', () => {
    const made = steps({ options: { swap: G } });
    expect(made).toContainEqual(
      expect.objectContaining({
        kind: 'write-fstab',
        mounts: expect.objectContaining({ swap: fresh.swap.uuid, esp: 'ABCD-1234' }),
      }),
    );
    expect(entry({ options: { swap: G } }).options).toContain(`resume=UUID=${fresh.swap.uuid}`);
  });

  const own = (partitions: string, more = '') => ({
    layout: 'own' as const,
    own: {
      name: 'web.yaml',
      text: `disks: [{ name: d, partitions: [{ name: bios, role: bios-boot }, { name: esp, role: esp }, { name: boot, role: boot }, ${partitions}]${more} }]`,
    },
  });

  it('installs by a layout of one’s own, around what is kept', () => {
    const partitions =
      '{ name: root, role: root, min: 4G, fileSystem: { type: xfs, mount: / } }, { name: home, role: home, size: 2G }';
    const data =
      '{ name: data, role: data, keep: true, fileSystem: { type: ext4, label: data, mount: /data, options: nofail } }';
    const text = own(`${partitions}, ${data}`, ', erase: [linux]');
    expect(
      steps({ options: { ...text, disk: '/dev/vda' } })
        .map(describeStep)
        .slice(0, 8),
    ).toEqual([
      'erase /dev/vda',
      'partition /dev/vda: bios-boot 1 MiB, esp 512 MiB, boot 512 MiB, root 8.5 GiB, home 2 GiB, data 8.5 GiB',
      'make the EFI system partition on /dev/vda2',
      'make ext4 on /dev/vda5',
      'make ext4 on /dev/vda6 (“data”)',
      'make xfs on /dev/vda4',
      'mount /dev/vda4',
      'mount /dev/vda6 on /data',
    ]);
    const kept = {
      ...{ number: 2, path: '/dev/vda2', start: 10 * G, size: 8 * G, type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' },
      content: { type: 'ext4', label: 'data', uuid: 'u-data' },
    };
    const old = {
      ...kept,
      number: 1,
      path: '/dev/vda1',
      start: M,
      size: 9 * G,
      content: { type: 'xfs', label: 'old' },
    };
    const disk = { table: { type: 'gpt' as const }, content: 'gpt', partitions: [old, kept] };
    const again = steps({ disk, options: text });
    expect(again.map(describeStep).slice(0, 2)).toEqual([
      'erase /dev/vda1; /dev/vda2 stays',
      'partition /dev/vda: bios-boot 1 MiB, esp 512 MiB, boot 512 MiB, root 7 GiB, home 2 GiB, data 8 GiB (stays)',
    ]);
    expect(again.some((step) => 'device' in step && step.device === '/dev/vda2')).toBe(false);
    expect(again).toContainEqual(
      expect.objectContaining({
        kind: 'write-fstab',
        mounts: expect.objectContaining({
          data: expect.arrayContaining([
            { uuid: 'u-data', mount: '/data', type: 'ext4', options: 'nofail', kept: true },
          ]),
        }),
      }),
    );
  });

  it.each([
    ['a layout that is none', own('{ name: x }'), 'layout-invalid'],
    ['a layout without its text', { layout: 'own' }, 'input-invalid'],
    ['slots beside it', { ...own('{ name: root, role: root }'), slots: 3 }, 'input-invalid'],
    [
      'a mirror’s disks',
      own('{ name: root, role: root }', ', count: 1-2').valueOf() as InstallOptions,
      'layout-invalid',
    ],
    [
      'subvolumes',
      own('{ name: a, role: slot, fileSystem: { type: btrfs, subvolumes: [{ name: a }] } }, { name: b, role: slot }'),
      'layout-unsolvable',
    ],
  ] satisfies [string, InstallOptions, string][])('refuses %s', (_what, options, code) => {
    const plan = planned({ options });
    expect(plan.kind === 'refused' && plan.error.code).toBe(code);
  });

  it.each([
    ['another architecture', { source: { architecture: 'aarch64' } }, 'image-unfit'],
    ['a machine that cannot be made to boot', { facts: { architecture: 'aarch64' } }, 'image-unfit'],
    ['no kernel', { content: { kernels: [] } }, 'image-unfit'],
    ['a BIOS with sectors of 4 KiB', { disk: { sectorSize: 4096 } }, 'image-unfit'],
    ['too small a disk', { disk: { size: 2 * G } }, 'disk-too-small'],
    ['too small with the swap', { disk: { size: 4 * G }, options: { swap: 2 * G } }, 'disk-too-small'],
    ['too small for two slots', { disk: { size: 6 * G }, options: { layout: 'slots' } }, 'disk-too-small'],
    ['too small for two images', { disk: { size: 6 * G }, options: { layout: 'files' } }, 'disk-too-small'],
    [
      'image files without an initial RAM disk',
      { options: { layout: 'files' }, content: { kernels: [{ version: '1', kernel: 'vmlinuz-1' }] } },
      'image-unfit',
    ],
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

  it('runs a 32-bit image on a 64-bit machine with a BIOS, and not where UEFI starts it', () => {
    expect(planned({ source: { architecture: 'i686' } }).kind).toBe('plan');
    const refused = planned({ source: { architecture: 'i686' }, facts: { firmware: 'uefi' } });
    expect(refused.kind === 'refused' && refused.error.message).toMatch(
      /32-bit one \(i686\).*UEFI, starts only 64-bit/,
    );
  });

  it('plans without the manifest, for a dry run', () => {
    expect(planned({ withoutContent: true }).kind).toBe('plan');
  });

  it('gives the machine its address once it is itself, and knows whether its kernel renames cards', () => {
    const network = { mac: '52:54:00:12:34:56', interface: 'eth0', address: '10.0.0.5', prefix: 24, dns: [] };
    const all = steps({ network });
    const at = all.findIndex(({ kind }) => kind === 'write-network');
    expect(all[at - 1]?.kind).toBe('write-identity');
    expect(all[at]).toEqual({ kind: 'write-network', network: { ...network, kernelNames: false } });
    const kept = steps({ network, options: { kernelOptions: 'net.ifnames=0' } });
    expect(kept).toContainEqual({ kind: 'write-network', network: { ...network, kernelNames: true } });
  });

  it('has an image that cannot run Node report by itself', () => {
    const kinds = steps({ content: { runsNode: false } }).map(({ kind }) => kind);
    expect(kinds).toContain('write-first-boot');
    expect(kinds).not.toContain('write-agent');
  });

  it('leaves out what the image or the disk has no use for', () => {
    const kinds = steps({ content: { systemd: false, sshServer: false } });
    expect(kinds.some(({ kind }) => kind === 'write-first-boot' || kind === 'write-agent')).toBe(false);
    expect(kinds).toContainEqual(expect.objectContaining({ kind: 'write-identity', sshHostKeys: false }));
    const large = steps({ disk: { sectorSize: 4096 }, facts: { firmware: 'uefi' } });
    expect(large.some(({ kind }) => kind === 'install-bios-boot')).toBe(false);
  });
});
