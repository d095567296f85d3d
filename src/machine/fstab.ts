import { type DataMount, hostMounts, type InstalledLayout, type SharedMount } from './installed-layout.ts';
import type { InstalledStack } from './installed-stack.ts';
import type { RootFileSystem } from './root-file-system.ts';

/** What an installed machine mounts. */
export interface InstalledMounts {
  root: { uuid: string; type: RootFileSystem; subvolume?: string };
  /** Volume id of the ESP as `1234-ABCD`. */
  esp: string;
  swap?: string;
  /** Where the root is an image file: the partition that holds it. The ESP is then mounted on `/boot/loader`. */
  host?: { uuid: string; type: RootFileSystem };
  moreSwap?: readonly string[];
  swapFiles?: readonly string[];
  zram?: readonly string[];
  /** Those above others first. */
  data?: readonly DataMount[];
  /** After those that they lie on. */
  shared?: readonly SharedMount[];
  /** What lies below file systems: crypttab and mdadm.conf. */
  stack?: InstalledStack;
}

/** What a system mounts on a machine of this layout, its root being this file system. */
export function installedMounts(layout: InstalledLayout, root: InstalledMounts['root']): InstalledMounts {
  const { esp, swap, moreSwap, swapFiles, zram, host, data, shared, stack } = layout;
  const subvolume = layout.slots.find(({ uuid }) => uuid === root.uuid)?.subvolume;
  return {
    root: { ...root, ...(subvolume === undefined ? {} : { subvolume }) },
    esp,
    ...(swap === undefined ? {} : { swap }),
    ...(moreSwap === undefined ? {} : { moreSwap }),
    ...(swapFiles === undefined ? {} : { swapFiles }),
    ...(zram === undefined ? {} : { zram }),
    ...(stack === undefined ? {} : { stack }),
    ...(host === undefined ? {} : { host: { uuid: host.uuid, type: host.fileSystem } }),
    ...(data === undefined ? {} : { data }),
    ...(shared === undefined ? {} : { shared }),
  };
}

/** Of `fs_spec` and type: file systems that lie on no disk of the golden machine. */
const elsewhere =
  /^(tmpfs|ramfs|proc|sysfs|devpts|securityfs|debugfs|tracefs|configfs|cgroup2?|hugetlbfs|mqueue|efivarfs|binfmt_misc|overlay|nfs[34]?|cifs|smb3|smbfs|9p|virtiofs|afs|ceph|glusterfs|lustre|gpfs|beegfs|davfs|fuse\.(sshfs|glusterfs|ceph|s3fs|rclone)|autofs)$/;
const opticalDrive = /^\/dev\/(cdrom|dvd|sr\d*|fd\d+|floppy)/;

/**
 * The image's fstab for the machine it was installed on. Comments, and what lies on no local disk (tmpfs, network mounts, bind
 * mounts, optical drives), stay as they were; each entry for a disk or swap of the golden machine, whose disks are not here, is
 * turned into a comment; root, ESP and swap of this machine are put in front. The golden machine's options for `/` are kept where its file
 * system is of the same type, without `subvol`.
 */
export function renderFstab(imageFstab: string, mounts: InstalledMounts): string {
  const golden = imageFstab.replace(/\n+$/, '').split('\n');
  const goldenRoot = golden.map(fields).find((entry) => entry?.mountPoint === '/');
  const own = [
    '# Written by Imprint for this machine.',
    entryLine(
      `UUID=${mounts.root.uuid}`,
      '/',
      mounts.root.type,
      rootOptions(goldenRoot, mounts.root),
      rootPass(mounts),
    ),
    entryLine(`UUID=${mounts.esp}`, `/${espMountPoint(mounts)}`, 'vfat', 'umask=0077,nofail', '0 0'),
    // The initial RAM disk has mounted it; it must stay as long as the root that lies on it, which is what x-initrd.mount says.
    ...(mounts.host === undefined
      ? []
      : [
          entryLine(
            `UUID=${mounts.host.uuid}`,
            `/${hostMounts.host}`,
            mounts.host.type,
            'defaults,nofail,x-initrd.mount',
            '0 0',
          ),
        ]),
    ...(mounts.data ?? []).map(({ uuid, mount, type, options }) =>
      entryLine(`UUID=${uuid}`, mount, type, options, /^ext/.test(type) ? '0 2' : '0 0'),
    ),
    ...(mounts.shared ?? []).map(sharedLine),
    ...[...(mounts.swap === undefined ? [] : [mounts.swap]), ...(mounts.moreSwap ?? [])].map((uuid) =>
      entryLine(`UUID=${uuid}`, 'none', 'swap', 'sw', '0 0'),
    ),
    ...(mounts.swapFiles ?? []).map((path) => entryLine(path, 'none', 'swap', 'sw', '0 0')),
  ];
  const kept = golden
    // A version captured from a machine that Imprint installed has these already: not once more with each generation.
    .filter((line) => line !== own[0] && line !== imageMark && !line.startsWith(replacedMark))
    .map((line) => (staysAsItIs(line, mounts.shared) ? line : `${replacedMark}${line}`));
  const rest = kept.join('\n').trim();
  return `${own.join('\n')}\n${rest === '' ? '' : `\n${imageMark}\n${rest}\n`}`;
}

/** Tells a line of ours from a bind or network mount of the image's own. */
const ownMark = 'x-imprint.shared';

function sharedLine({ source, mount, type, options }: SharedMount): string {
  const more = options === undefined ? [] : [options];
  return type === 'bind'
    ? // The directory is there only when what holds it is mounted.
      entryLine(
        source,
        mount,
        'none',
        ['bind', `x-systemd.requires-mounts-for=${source}`, ownMark, ...more].join(','),
        '0 0',
      )
    : entryLine(source, mount, 'nfs', ['_netdev', 'nofail', ownMark, ...more].join(','), '0 0');
}

/** Where the installed system has its ESP, relative to the root. */
export function espMountPoint(mounts: Pick<InstalledMounts, 'host'>): string {
  return mounts.host === undefined ? 'boot/efi' : hostMounts.esp;
}

/** Mount points of the entries that stay, so that their directories can be made. */
export function keptMountPoints(imageFstab: string): string[] {
  return imageFstab
    .split('\n')
    .filter((line) => staysAsItIs(line))
    .map((line) => fields(line)?.mountPoint)
    .filter((point) => point?.startsWith('/') === true)
    .filter((point): point is string => point !== undefined && point !== '/');
}

const replacedMark = '#(golden machine) ';
const imageMark = '# From the image.';

interface FstabEntry {
  device: string;
  mountPoint: string;
  type: string;
  options: string;
}

function fields(line: string): FstabEntry | undefined {
  if (/^\s*(#|$)/.test(line)) return undefined;
  const [device, mountPoint, type, options] = line.trim().split(/\s+/);
  if (device === undefined || mountPoint === undefined || type === undefined) return undefined;
  return { device, mountPoint, type, options: options ?? 'defaults' };
}

function staysAsItIs(line: string, shared: readonly SharedMount[] = []): boolean {
  const entry = fields(line);
  if (entry === undefined) return true;
  if (shared.some(({ mount }) => mount === entry.mountPoint)) return false;
  if (['/', '/boot/efi', `/${hostMounts.esp}`, `/${hostMounts.host}`].includes(entry.mountPoint)) return false;
  const options = entry.options.split(',');
  // Of another machine that it was captured from.
  if (options.includes(ownMark)) return false;
  if (elsewhere.test(entry.type) || opticalDrive.test(entry.device)) return true;
  return options.includes('bind') || options.includes('rbind') || options.includes('_netdev');
}

function rootOptions(golden: FstabEntry | undefined, { type, subvolume }: InstalledMounts['root']): string {
  const kept = golden?.type === type ? golden.options.split(',').filter((option) => !/^subvol(id)?=/.test(option)) : [];
  const own = [...kept, ...(subvolume === undefined ? [] : [`subvol=${subvolume}`])];
  return own.length > 0 ? own.join(',') : 'defaults';
}

function rootPass(mounts: InstalledMounts): string {
  // xfs and btrfs check themselves when they are mounted.
  return mounts.root.type === 'ext4' ? '0 1' : '0 0';
}

function entryLine(device: string, mountPoint: string, type: string, options: string, numbers: string): string {
  return [device, mountPoint, type, options, numbers].join('\t');
}
