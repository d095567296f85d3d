import type { Layout, LayoutFileSystem } from '../contract/layout.ts';
import { parseBytes } from '../foundation/bytes.ts';
import { deviceUses, fileSystemOf, type LayoutDevice } from './layout-devices.ts';
import type { LayoutProblem } from './layout-problems.ts';

/** Bytes of the longest label (mkfs of each kind refuses more). */
const longestLabels: Readonly<Record<LayoutFileSystem['type'], number>> = {
  ...{ ext2: 16, ext3: 16, ext4: 16, xfs: 12, btrfs: 255, f2fs: 127, vfat: 11, exfat: 11, ntfs: 32 },
};
const rootTypes = ['ext4', 'xfs', 'btrfs'];
/** What firmware or GRUB reads before any RAID, volume group or encryption is known. */
const bareRoles = ['bios-boot', 'esp', 'boot', 'foreign'];

/** Roles of what can live through a reinstall. */
const keptRoles = ['data', 'share', 'home', 'esp', 'foreign'];

/** What is wrong with roles, file systems, mount points and swap. */
export function contentProblems(layout: Layout, devices: readonly LayoutDevice[]): LayoutProblem[] {
  return [
    ...roleProblems(layout, devices),
    ...copyProblems(devices),
    ...keepProblems(devices),
    ...fileSystemProblems(layout, devices),
    ...mountProblems(devices),
    ...sharedProblems(devices),
    ...otherMountProblems(layout, devices),
    ...swapProblems(layout),
  ];
}

function roleProblems(layout: Layout, devices: readonly LayoutDevice[]): LayoutProblem[] {
  const problems: LayoutProblem[] = [];
  const withRole = (...roles: string[]) => devices.filter(({ role }) => role !== undefined && roles.includes(role));
  for (const { role, kind, ref, path } of withRole(...bareRoles)) {
    if (kind === 'partition') continue;
    const why =
      role === 'foreign'
        ? 'another system has its own partitions'
        : 'firmware and GRUB read it before anything else is there';
    const instead = 'give each disk its own, and they are kept the same';
    problems.push({ path: [...path, 'role'], problem: `${ref} (${role}) must be a partition: ${why}; ${instead}` });
  }
  if (withRole('boot').length === 0) {
    problems.push({ path: ['disks'], problem: 'no partition has the role boot, the only one that GRUB reads' });
  }
  if (withRole('bios-boot', 'esp').length === 0) {
    problems.push({
      path: ['disks'],
      problem: 'no partition has the role bios-boot or esp: no firmware would start this machine',
    });
  }
  const [systems, others] = [withRole('root', 'slot', 'host'), withRole('root', 'host')];
  if (systems.length === 0) {
    problems.push({
      path: ['disks'],
      problem: 'nothing has the role root, slot or host: there is no place for the system',
    });
  }
  const [first, second] = others;
  if (second !== undefined) {
    problems.push({
      path: [...second.path, 'role'],
      problem: `${first?.ref} and ${second.ref} are both for the system`,
    });
  }
  if (first?.role === 'root' && withRole('slot').length > 0) {
    problems.push({
      path: [...first.path, 'role'],
      problem: `${first.ref} is the root, and there are slots, too: make it one of them`,
    });
  }
  const used = new Set(deviceUses(layout).map(({ ref }) => ref));
  // Where a name is written wrongly, what was meant by it looks idle.
  if ([...used].some((ref) => !devices.some((device) => device.ref === ref))) return problems;
  for (const device of devices) {
    const idle = device.role === undefined && device.fileSystem === undefined && !used.has(device.ref);
    if (idle && !(device.kind === 'volume' && device.volume.thinPool)) {
      problems.push({ path: device.path, problem: `nothing lies on ${device.ref}: give it a role or a fileSystem` });
    }
  }
  return problems;
}

/** What stands on each of several disks must be something that may be there twice. */
function copyProblems(devices: readonly LayoutDevice[]): LayoutProblem[] {
  return devices.flatMap((device) => {
    if (device.kind !== 'partition' || /^[01]?$|^0-1$/.test(device.disk.count ?? '')) return [];
    const { role, ref, path } = device;
    if (role === 'esp' || role === 'boot' || role === 'bios-boot' || role === 'swap' || role === 'foreign') return [];
    const made = fileSystemOf(device);
    if (made === undefined) return [];
    const problem = `${ref} would be there once on each disk of ${device.disk.name}: make it of an array, or give one disk an entry of its own`;
    return [{ path, problem }];
  });
}

function keepProblems(devices: readonly LayoutDevice[]): LayoutProblem[] {
  return devices.flatMap((device) => {
    if (device.kind !== 'partition') return [];
    const { partition, disk, path } = device;
    const { keep, role, kind } = partition;
    const problems: LayoutProblem[] = [];
    if (kind !== undefined && role !== 'foreign') {
      problems.push({ path: [...path, 'kind'], problem: 'kind is for the role foreign' });
    }
    if (role === 'foreign' && kind === undefined && keep === undefined) {
      problems.push({
        path,
        problem: `${partition.name} is foreign: say its kind (windows), or what it is found by (keep: label=…)`,
      });
    }
    if (keep !== undefined && role !== undefined && !keptRoles.includes(role)) {
      problems.push({
        path: [...path, 'keep'],
        problem: `${partition.name} has the role ${role}, which each install makes anew; keep is for data`,
      });
    }
    if (keep !== undefined && role === undefined && partition.fileSystem === undefined) {
      problems.push({
        path: [...path, 'keep'],
        problem: `${partition.name} is a part of something else; only a partition with a file system of its own can be kept`,
      });
    }
    if (keep === 'true' && role !== 'foreign' && disk.table === 'mbr' && fileSystemOf(device)?.label === undefined) {
      problems.push({
        path: [...path, 'keep'],
        problem: `${partition.name} needs a label: an MBR knows no names by which to find it again`,
      });
    }
    return problems;
  });
}

function fileSystemProblems(layout: Layout, devices: readonly LayoutDevice[]): LayoutProblem[] {
  const problems: LayoutProblem[] = [];
  const labels = new Map<string, string>();
  for (const device of devices) {
    const { role, ref } = device;
    const path = [...device.path, 'fileSystem'];
    const given = device.fileSystem;
    if (given !== undefined && (role === 'swap' || role === 'bios-boot')) {
      problems.push({ path, problem: `${ref} has the role ${role}, which needs no fileSystem` });
      continue;
    }
    const made = fileSystemOf(device);
    if (made === undefined || (role === 'foreign' && given === undefined)) continue;
    const { type, label } = made;
    if (role === 'esp' && type !== 'vfat')
      problems.push({ path: [...path, 'type'], problem: 'an EFI system partition is vfat' });
    if (role === 'boot' && type !== 'ext4')
      problems.push({ path: [...path, 'type'], problem: 'the boot partition is ext4, which GRUB reads best' });
    if (role !== undefined && ['root', 'slot', 'host'].includes(role) && !rootTypes.includes(type)) {
      problems.push({ path: [...path, 'type'], problem: `a system lies on ${rootTypes.join(', ')}, not on ${type}` });
    }
    if (type !== 'btrfs' && made.subvolumes.length > 0) {
      problems.push({ path: [...path, 'subvolumes'], problem: `${type} has no subvolumes` });
    }
    if (
      type === 'ntfs' &&
      role !== 'foreign' &&
      !(device.kind === 'partition' && device.partition.keep !== undefined)
    ) {
      problems.push({ path: [...path, 'type'], problem: 'ntfs can be kept, but is not made' });
    }
    if (label === undefined) continue;
    if (Buffer.byteLength(label) > longestLabels[type]) {
      problems.push({
        path: [...path, 'label'],
        problem: `the label “${label}” is longer than the ${longestLabels[type]} bytes of ${type}`,
      });
    }
    const other = labels.get(label);
    // Copies of a boot partition, one a disk, carry the same label on purpose.
    if (other !== undefined && role !== 'esp' && role !== 'boot') {
      problems.push({
        path: [...path, 'label'],
        problem: `${other} has the label “${label}”, too: the wrong one would be mounted`,
      });
    }
    labels.set(label, ref);
  }
  layout.crypts.forEach(({ name, unlock, keyFile }, index) => {
    if ((unlock === 'key-file') === (keyFile !== undefined)) return;
    problems.push({
      path: ['crypts', index, 'unlock'],
      problem: `${name}: unlock: key-file and keyFile belong together`,
    });
  });
  return problems;
}

/** Where every system mounts what lies on no disk, or the ESP. */
const takenPlaces = /^\/(dev|proc|sys)(\/|$)|^\/(run|boot\/efi)$/;

function mountProblems(devices: readonly LayoutDevice[]): LayoutProblem[] {
  const mounts = devices.flatMap((device) => {
    const made = fileSystemOf(device);
    if (made === undefined || device.role === 'esp' || device.role === 'slot') return [];
    const path = [...device.path, 'fileSystem'];
    return [
      ...(made.mount === undefined ? [] : [{ mount: made.mount, ref: device.ref, path: [...path, 'mount'] }]),
      ...made.subvolumes.flatMap(({ mount, name }, index) =>
        mount === undefined
          ? []
          : [{ mount, ref: `${device.ref}:${name}`, path: [...path, 'subvolumes', index, 'mount'] }],
      ),
    ];
  });
  const seen = new Map<string, string>();
  const problems = mounts.flatMap(({ mount, ref, path }): LayoutProblem[] => {
    const other = seen.get(mount);
    seen.set(mount, ref);
    if (takenPlaces.test(mount))
      return [{ path, problem: `${ref} cannot lie on ${mount}: every system mounts something of its own there` }];
    return other === undefined ? [] : [{ path, problem: `${other} is mounted on ${mount} already` }];
  });
  const root = devices.find(({ role }) => role === 'root');
  if (root !== undefined && !seen.has('/')) {
    problems.push({ path: root.path, problem: `${root.ref} is the root, but nothing is mounted on /` });
  }
  return problems;
}

/** What a version is made of; of a file system for it several systems would have but one. */
const systemPlaces = /^\/(bin|boot|etc|lib\w*|opt|sbin|usr|var)(\/|$)/;
/** Below these, what lies there belongs to programs of the machine. */
const ownPlaces = /^\/var\/(lib\/[^/]+|log|spool|mail|www|cache|tmp)(\/|$)/;

function sharedProblems(devices: readonly LayoutDevice[]): LayoutProblem[] {
  if (!devices.some(({ role }) => role === 'slot' || role === 'host')) return [];
  return devices.flatMap((device) => {
    if (device.role === 'esp' || device.role === 'boot') return [];
    const made = fileSystemOf(device);
    const mounts = [made?.mount, ...(made?.subvolumes ?? []).map(({ mount }) => mount)];
    const wrong = mounts.find((mount) => mount !== undefined && systemPlaces.test(mount) && !ownPlaces.test(mount));
    if (wrong === undefined) return [];
    const problem = `${wrong} is a part of every version: with several systems on the machine it cannot be one partition for all`;
    return [{ path: [...device.path, 'fileSystem'], problem }];
  });
}

/** What is mounted beside file systems of the layout's own. */
function otherMountProblems({ mounts }: Layout, devices: readonly LayoutDevice[]): LayoutProblem[] {
  const places = devices.flatMap((device) => {
    const made = fileSystemOf(device);
    return [made?.mount, ...(made?.subvolumes ?? []).map(({ mount }) => mount)].filter((mount) => mount !== undefined);
  });
  return mounts.flatMap(({ source, mount }, index) => {
    const path = ['mounts', index];
    const twice = places.includes(mount) || mounts.findIndex((each) => each.mount === mount) < index;
    if (twice) return [{ path: [...path, 'mount'], problem: `something is mounted on ${mount} already` }];
    if (mount === '/' || takenPlaces.test(mount) || (systemPlaces.test(mount) && !ownPlaces.test(mount)))
      return [
        { path: [...path, 'mount'], problem: `${mount} is a part of every system: nothing can be mounted over it` },
      ];
    const lies = places.some((place) => place !== '/' && source.startsWith(`${place}/`));
    if (!source.startsWith('/') || lies) return [];
    const problem = `${source} lies on no file system of this layout but the root`;
    return [{ path: [...path, 'source'], problem }];
  });
}

function swapProblems({ swap }: Layout): LayoutProblem[] {
  return swap.flatMap(({ file, zram, size }, index) => {
    const path = ['swap', index];
    if ((file === undefined) === (zram !== true))
      return [{ path, problem: 'swap is either a file: PATH, or zram: true' }];
    const share = /^(\d+)%$/.exec(size)?.[1];
    if (share !== undefined) {
      return file !== undefined || Number(share) === 0 || Number(share) > 400
        ? [{ path: [...path, 'size'], problem: 'a share of the memory, from 1% to 400%, is for zram' }]
        : [];
    }
    return parseBytes(size) === undefined
      ? [{ path: [...path, 'size'], problem: `“${size}” is no size; write 4G` }]
      : [];
  });
}
