import { describe, expect, it } from 'vitest';
import { array, boot, bunch, disk, G, mirror, stacked } from '../../tests/solved-layout.ts';
import { imageContent, versionRecord } from '../../tests/version-record.ts';
import type { DiskFacts } from '../contract/machine.ts';
import type { ImageContent } from '../machine/image-content.ts';
import type { StoragePart } from '../machine/storage-parts.ts';
import { type FreshIdentity, type InstallPlan, planInstall } from './plan-install.ts';
import { installedStackProblem } from './stack-problem.ts';
import { describeStep, type Step } from './step.ts';

const names = (index: number) => ({
  partition: `00000000-0000-4000-8000-0000000a${String(index).padStart(4, '0')}`,
  uuid: `00000000-0000-4000-8000-0000000b${String(index).padStart(4, '0')}`,
});

const fresh: FreshIdentity = {
  table: '00000000-0000-4000-8000-000000000001',
  moreTables: Array.from({ length: 8 }, (_, index) => names(500 + index).uuid),
  ...{ biosBoot: names(100), esp: names(101), boot: names(102), swap: names(103), root: names(104) },
  slots: [105, 106].map(names),
  data: Array.from({ length: 40 }, (_, index) => names(index)),
  image: names(200).uuid,
  espVolumeId: 'abcd1234',
  machineId: '0'.repeat(32),
};

const all: StoragePart[] = [
  ...(['mdadm', 'lvm', 'cryptsetup', 'thin_check', 'hook-mdadm', 'hook-lvm2', 'hook-cryptroot', 'hook-thin'] as const),
];

function planned(
  text: string,
  disks: DiskFacts[],
  storage: StoragePart[] = all,
  more: Partial<ImageContent> = {},
): InstallPlan {
  return planInstall({
    name: 'web01',
    facts: {
      ...{ architecture: 'x86_64', cpu: 'QEMU', cores: 1, memory: G, firmware: 'bios', interfaces: [] },
      disks,
    },
    reference: 'web:3',
    record: versionRecord({}),
    content: { ...imageContent(), storage: new Set(storage), ...more },
    options: { layout: 'own', own: { name: 'x.yaml', text } },
    fresh,
  });
}

function steps(text: string, disks: DiskFacts[]): Step[] {
  const plan = planned(text, disks);
  if (plan.kind === 'refused') throw plan.error;
  return plan.steps;
}

const two = [disk('/dev/sda', 20 * G), disk('/dev/sdb', 20 * G)];
const erased = (text: string) => text.replaceAll('partitions: [', 'erase: all, partitions: [');
const system = `disks: [{ name: s, match: smallest, erase: all, partitions: [${boot}, { name: p }] }]`;

/** An encrypted root on a mirror. */
const encrypted = erased(mirror('2')).replace(
  ', role: root }]',
  ' }]\ncrypts: [{ name: secret, device: system, role: root }]',
);

function layoutOf(all: readonly Step[]) {
  const step = all.find(({ kind }) => kind === 'write-boot-partition');
  if (step?.kind !== 'write-boot-partition') throw new Error('no boot partition');
  return step;
}

describe('planInstall, of a stack', () => {
  it('makes a mirror of which each disk starts the machine', () => {
    const made = steps(erased(mirror('2')), two);
    expect(made.map(describeStep)).toEqual([
      'erase /dev/sda',
      'partition /dev/sda: bios-boot 1 MiB, esp 512 MiB, boot 512 MiB, half.1 19 GiB',
      'erase /dev/sdb',
      'partition /dev/sdb: bios-boot 1 MiB, esp 512 MiB, boot 512 MiB, half.2 19 GiB',
      'make /dev/md/system, RAID 1 of /dev/sda4, /dev/sdb4',
      'make the EFI system partition on /dev/sda2',
      'make the EFI system partition on /dev/sdb2',
      'make ext4 on /dev/md/system',
      'mount /dev/md/system',
      'restore web:3 (10.5 MiB)',
      'write /etc/fstab, mdadm.conf',
      'make it web01: host name, machine-id, SSH host keys',
      'install the agent',
      'write the boot partition /dev/sda3: Linux 6.1.0-10',
      'copy the boot partition /dev/sda3 to /dev/sdb3',
      'write everything out',
      'make /dev/sda boot on BIOS',
      'make /dev/sda2 boot on UEFI',
      'make /dev/sdb boot on BIOS',
      'make /dev/sdb2 boot on UEFI',
    ]);
    const { layout, entry } = layoutOf(made);
    expect(layout).toMatchObject({
      layout: 'single',
      boot: fresh.boot.uuid,
      boots: [fresh.boot.uuid, names(6).uuid],
      slots: [{ name: 'root', uuid: fresh.root.uuid, partitionUuid: '', fileSystem: 'ext4', device: '/dev/md/system' }],
      stack: { raids: [{ name: 'system', metadata: '1.2', root: true }], crypts: [], groups: [] },
    });
    expect(layout.stack?.raids[0]?.uuid).toBe('00000000:00004000:80000000:000a0104');
    // Every initial RAM disk finds the file system of an array by its UUID.
    expect(entry.root).toEqual({ purpose: 'in-place', uuid: fresh.root.uuid });
    // Each disk's core looks for its own copy.
    const cores = made.filter((step) => step.kind === 'install-bios-boot').map(({ bootUuid }) => bootUuid);
    expect(cores).toEqual([fresh.boot.uuid, names(6).uuid]);
    const esps = made.filter((step) => step.kind === 'make-esp').map(({ volumeId }) => volumeId);
    expect(new Set(esps).size).toBe(2);
  });

  it('has what is below /usr there before the system starts, and no other data', () => {
    const mounted = (mount: string) => array(1, '2').replace('/pool', mount);
    const disks = bunch(60, 60);
    const raid = (mount: string) => layoutOf(steps(mounted(mount), disks)).layout.stack?.raids[0];
    expect(raid('/usr')).toMatchObject({ name: 'pool', root: true });
    expect(raid('/srv')).not.toHaveProperty('root');
    const without = planned(mounted('/usr'), disks, ['mdadm']);
    expect(without).toMatchObject({ kind: 'refused', error: { code: 'image-unfit' } });
  });

  it('encrypts what lies on a mirror, and says the secret to nobody', () => {
    const made = steps(encrypted, two);
    const above = made.filter(({ kind }) => ['make-raid', 'make-crypt', 'make-root', 'write-fstab'].includes(kind));
    expect(above.map(describeStep)).toEqual([
      'make /dev/md/system, RAID 1 of /dev/sda4, /dev/sdb4',
      'encrypt /dev/md/system as /dev/mapper/secret, opened by its passphrase',
      'make ext4 on /dev/mapper/secret',
      'write /etc/fstab, /etc/crypttab, mdadm.conf',
    ]);
    const { layout, entry } = layoutOf(made);
    expect(layout.stack?.crypts).toEqual([{ name: 'secret', uuid: fresh.root.partition, root: true }]);
    expect(layout.stack?.raids[0]?.root).toBe(true);
    expect(entry.root).toMatchObject({ device: '/dev/mapper/secret' });
  });

  it('has a device open by a key that lies in the system', () => {
    const made = steps(
      encrypted.replace(
        'device: system',
        'device: system, unlock: key-file, keyFile: /etc/cryptsetup-keys.d/secret.key',
      ),
      two,
    );
    expect(made).toContainEqual({
      kind: 'write-crypt-keys',
      keys: [{ name: 'secret', path: '/etc/cryptsetup-keys.d/secret.key' }],
    });
    const at = (kind: string) => made.findIndex((step) => step.kind === kind);
    expect(at('write-crypt-keys')).toBeGreaterThan(at('restore'));
    expect(at('write-crypt-keys')).toBeLessThan(at('write-boot-partition'));
  });

  it('makes all of a stack of every kind, with a swap file', () => {
    const made = steps(stacked, [disk('/dev/sda', 40 * G), disk('/dev/sdb', 40 * G)]).map(describeStep);
    const at = (words: string) => made.findIndex((each) => each.startsWith(words));
    const order = ['make /dev/md/mirror', 'encrypt /dev/md/mirror', 'make the volume group vg0', 'make /dev/vg0/root'];
    expect(order.map(at)).toEqual(order.map(at).toSorted((left, right) => left - right));
    expect(order.map(at).every((index) => index > 0)).toBe(true);
    expect(made).toContain('make the swap file /swapfile of 1 GiB');
    expect(at('make the swap file')).toBe(at('restore') + 1);
    expect(at('write /etc/fstab')).toBeGreaterThan(at('make the swap file'));
  });

  it('gives no two partitions one name', () => {
    const tables = steps(erased(mirror('2')), two).flatMap((step) =>
      step.kind === 'partition-disk' ? [step.table] : [],
    );
    const uuids = tables.flatMap(({ uuid, partitions }) => [uuid, ...partitions.map((each) => each.uuid)]);
    expect(new Set(uuids).size).toBe(uuids.length);
    // A member says so in the table.
    expect(tables[1]?.partitions[3]?.type).toBe('A19D880F-05FC-4D3B-A006-743F0F84911E');
  });

  it('names every disk that is written', () => {
    const plan = planned(erased(mirror('2')), two);
    expect(plan.kind === 'plan' && [plan.disk, ...plan.others].map(({ path }) => path)).toEqual([
      '/dev/sda',
      '/dev/sdb',
    ]);
  });

  it('makes half a mirror', () => {
    const made = steps(erased(mirror('1-2')), [disk('/dev/sda', 20 * G)]).map(describeStep);
    expect(made).toContain('make /dev/md/system, RAID 1 of /dev/sda4, 1 missing');
    expect(made.some((step) => step.startsWith('copy'))).toBe(false);
  });

  it('makes volumes of several disks, a pool before what is in it', () => {
    const text = `${system.slice(0, -1)}, { name: e, count: 2, match: 'size>=30G', erase: all, partitions: [{ name: q }] }]
volumeGroups:
  - name: vg-0
    physicalVolumes: [p, q]
    volumes:
      - { name: vm, pool: pool, size: 60G, role: data, fileSystem: { type: xfs, mount: /vm } }
      - { name: root, role: root, min: 4G }
      - { name: swap, role: swap, size: 1G }
      - { name: pool, thinPool: true, size: 4G }`;
    const made = steps(text, [disk('/dev/sda', 20 * G), disk('/dev/sdb', 40 * G), disk('/dev/sdc', 40 * G)]);
    const above = made.filter(({ kind }) => kind.startsWith('make-') && kind !== 'make-esp').map(describeStep);
    expect(above).toEqual([
      'make the volume group vg-0 of /dev/sda4, /dev/sdb1, /dev/sdc1',
      expect.stringMatching(/^make \/dev\/vg-0\/root of \d+/),
      'make /dev/vg-0/swap of 1 GiB',
      'make the thin pool /dev/vg-0/pool of 4 GiB',
      'make /dev/vg-0/vm of 60 GiB in pool',
      'make swap on /dev/vg-0/swap',
      'make xfs on /dev/vg-0/vm',
      'make ext4 on /dev/vg-0/root',
    ]);
    const { layout, entry } = layoutOf(made);
    // Initial RAM disks set a volume in motion by its name, and no kernel wakes up from one by itself.
    expect(entry.root).toEqual({ purpose: 'in-place', uuid: fresh.root.uuid, device: '/dev/mapper/vg--0-root' });
    expect(entry.options).toContain('noresume');
    expect(layout.moreSwap).toEqual([fresh.swap.uuid]);
    expect(layout.data).toEqual([expect.objectContaining({ mount: '/vm', type: 'xfs' })]);
  });

  it('makes an array of disks for data, and the system beside it', () => {
    const text = erased(array(5, '3'));
    const made = steps(text, [
      disk('/dev/sda', 20 * G),
      ...['b', 'c', 'd'].map((each) => disk(`/dev/sd${each}`, 100 * G)),
    ]);
    expect(made.map(describeStep)).toContain('make /dev/md/pool, RAID 5 of /dev/sdb1, /dev/sdc1, /dev/sdd1');
    expect(layoutOf(made).layout.stack?.raids[0]?.root).toBeUndefined();
  });

  it.each([
    ['a program', ['hook-mdadm'], /has no mdadm/],
    ['what its initial RAM disk needs', ['mdadm'], /initial RAM disk would not find the arrays/],
  ] satisfies [string, StoragePart[], RegExp][])('refuses an image without %s', (_what, storage, problem) => {
    const plan = planned(erased(mirror('2')), two, storage);
    expect(plan.kind === 'refused' && plan.error.code).toBe('image-unfit');
    expect(plan.kind === 'refused' && plan.error.message).toMatch(problem);
  });

  it('wants nothing in the initial RAM disk of what lies beside the root', () => {
    const disks = [disk('/dev/sda', 20 * G), ...['b', 'c', 'd'].map((each) => disk(`/dev/sd${each}`, 100 * G))];
    expect(planned(erased(array(5, '3')), disks, ['mdadm']).kind).toBe('plan');
  });

  it('refuses an update that would not find what the install has made', () => {
    const { stack } = layoutOf(steps(erased(mirror('2')), two)).layout;
    const problem = (storage: StoragePart[]) =>
      stack &&
      installedStackProblem(
        { name: 'web01', reference: 'web:4', content: { ...imageContent(), storage: new Set(storage) } },
        stack,
      );
    expect(problem(['mdadm', 'dracut-mdraid'])).toBeUndefined();
    expect(problem(['mdadm'])?.code).toBe('image-unfit');
  });

  it('refuses a root on an array without an initial RAM disk', () => {
    const kernels = [{ version: '1', kernel: 'vmlinuz-1' }];
    const plan = planned(erased(mirror('2')), two, all, { kernels });
    expect(plan.kind === 'refused' && plan.error.message).toMatch(/no initial RAM disk/);
  });

  it.each([
    ['a TPM', encrypted.replace('device: system', 'device: system, unlock: tpm2'), two],
    [
      'a swap file in slots',
      `${erased(mirror('2')).replace('role: root', 'role: slot')}\nswap: [{ file: /swapfile, size: 1G }]`,
      two,
    ],
    ['a host partition on several disks', erased(mirror('2')).replace('role: root', 'role: host'), two],
  ] satisfies [string, string, DiskFacts[]][])('refuses %s', (_what, text, disks) => {
    const plan = planned(text, disks);
    expect(plan.kind === 'refused' && plan.error.code).toBe('layout-unsolvable');
  });
});
