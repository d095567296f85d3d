import type { SourceFacts } from '../src/contract/image.ts';
import type { RawPath } from '../src/foundation/brand.ts';
import { surveySource } from '../src/machine/source-facts.ts';

/** A device as lsblk has it, in short: name, type, MiB, what is in it, where it is mounted, and what lies on it. */
export interface Device {
  name: string;
  type: string;
  mib: number;
  fs?: string;
  version?: string;
  label?: string;
  uuid?: string;
  mount?: string;
  partLabel?: string;
  partType?: string;
  start?: number;
  transport?: string;
  removable?: boolean;
  children?: Device[];
}

export interface GoldenAnswers {
  devices: Device[];
  fstab?: string;
  crypttab?: string;
  md?: string;
  lvm?: string;
  swaps?: string;
  zram?: string;
  /** Mount point → KiB in use. */
  used?: Record<string, number>;
  /** Kinds of the tables: `gpt`. */
  table?: 'gpt' | 'dos';
  firmware?: 'bios' | 'uefi';
  cmdline?: string;
}

/** Facts of a golden machine from its answers, as tools print them (util-linux 2.38, LVM 2.03). */
export function goldenFacts(answers: GoldenAnswers): SourceFacts {
  const { devices, table = 'gpt', used = {} } = answers;
  const text = new Map<string, string>([
    ['hostname', 'golden'],
    ['kernel', '6.1.0-10-amd64'],
    ['architecture', 'x86_64'],
    ['os-release', 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'],
    ['firmware', answers.firmware ?? 'uefi'],
    ['mountinfo', mountInfo(devices)],
    ['lsblk', JSON.stringify({ blockdevices: devices.map(lsblkNode) })],
    ['sys-block', sysBlock(devices)],
    [
      'sfdisk',
      devices
        .filter(({ type }) => type === 'disk')
        .map((disk) => sfdisk(disk, table))
        .join('\n'),
    ],
    ['df', dfTable(devices, used)],
    ['fstab', answers.fstab ?? ''],
    ['crypttab', answers.crypttab ?? ''],
    ['md', answers.md ?? ''],
    ['lvm', answers.lvm ?? ''],
    ['swaps', `Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n${answers.swaps ?? ''}`],
    ['zram', answers.zram ?? ''],
    ['meminfo', 'MemTotal:       16777216 kB\n'],
  ]);
  return surveySource(text, 'ssh://root@golden', '/' as RawPath, false).facts;
}

function lsblkNode({
  name,
  type,
  mib,
  fs,
  version,
  label,
  uuid,
  mount,
  partLabel,
  transport,
  removable,
  children,
}: Device): object {
  return {
    ...{ name, kname: name, path: type === 'lvm' || type === 'crypt' ? `/dev/mapper/${name}` : `/dev/${name}` },
    ...{
      type,
      size: mib * 2 ** 20,
      fstype: fs ?? null,
      fsver: version ?? null,
      label: label ?? null,
      uuid: uuid ?? null,
    },
    ...{ mountpoints: [mount ?? null], partlabel: partLabel ?? null, partuuid: null, tran: transport ?? null },
    ...{ rm: removable ?? false, ro: false, 'log-sec': 512 },
    ...(children === undefined ? {} : { children: children.map(lsblkNode) }),
  };
}

function all(devices: readonly Device[]): Device[] {
  const seen = new Map<string, Device>();
  const add = (device: Device) => {
    if (!seen.has(device.name)) seen.set(device.name, device);
    device.children?.forEach(add);
  };
  devices.forEach(add);
  return [...seen.values()];
}

function pathOf({ name, type }: Device): string {
  return type === 'lvm' || type === 'crypt' ? `/dev/mapper/${name}` : `/dev/${name}`;
}

function mountInfo(devices: readonly Device[]): string {
  const mounted = all(devices).filter(({ mount }) => mount !== undefined && mount !== '[SWAP]');
  return mounted
    .map(
      (device, index) =>
        `${30 + index} 1 8:${index} / ${device.mount} rw,relatime shared:1 - ${device.fs} ${pathOf(device)} rw`,
    )
    .join('\n');
}

function dfTable(devices: readonly Device[], used: Record<string, number>): string {
  const lines = all(devices).flatMap((device) => {
    const { mount, mib } = device;
    if (mount === undefined || mount === '[SWAP]') return [];
    const taken = used[mount] ?? 100_000;
    return [`${pathOf(device)} ${mib * 1024} ${taken} ${mib * 1024 - taken} 10% ${mount}`];
  });
  return ['Filesystem 1024-blocks Used Available Capacity Mounted on', ...lines].join('\n');
}

const parts = (disk: Device) => (disk.children ?? []).filter(({ type }) => type === 'part');
const numberOf = (name: string) => /(\d+)$/.exec(name)?.[1] ?? '0';

function starts(disk: Device): Map<string, number> {
  const found = new Map<string, number>();
  let at = 1;
  for (const part of parts(disk)) {
    found.set(part.name, part.start ?? at);
    at = (part.start ?? at) + part.mib;
  }
  return found;
}

function sysBlock(devices: readonly Device[]): string {
  return devices
    .filter(({ type }) => type === 'disk')
    .flatMap((disk) => [
      `disk ${disk.name} ${disk.mib * 2048} 512 0`,
      ...parts(disk).map(
        (part) =>
          `part ${disk.name} ${part.name} ${numberOf(part.name)} ${(starts(disk).get(part.name) ?? 1) * 2048} ${part.mib * 2048}`,
      ),
    ])
    .join('\n');
}

function sfdisk(disk: Device, label: 'gpt' | 'dos'): string {
  const linux = label === 'gpt' ? '0FC63DAF-8483-4772-8E79-3D69D8477DE4' : '83';
  const partitions = parts(disk).map(({ name, mib, partType, partLabel }) => ({
    ...{ node: `/dev/${name}`, start: (starts(disk).get(name) ?? 1) * 2048, size: mib * 2048, type: partType ?? linux },
    ...(partLabel === undefined ? {} : { name: partLabel }),
  }));
  return partitions.length === 0
    ? ''
    : JSON.stringify(
        { partitiontable: { label, device: `/dev/${disk.name}`, unit: 'sectors', partitions } },
        undefined,
        3,
      );
}
