import type { RawPath } from '../foundation/brand.ts';

/** One line of `/proc/self/mountinfo` (proc(5)); paths as raw bytes, the kernel's octal escapes undone. */
export interface Mount {
  /** `8:1`; a number of its own for each btrfs or virtual file system. */
  device: string;
  /** Which directory of the file system is mounted: `/`, or another one for bind mounts and btrfs subvolumes. */
  root: RawPath;
  mountPoint: RawPath;
  options: string;
  type: string;
  /** `/dev/vda1`, `server:/export`, `tmpfs` … */
  source: string;
}

/** Why a file system is no part of a capture. */
export type LeftOutReason = 'kernel' | 'memory' | 'network' | 'medium' | 'container' | 'twice' | 'other-file-system';

export interface LeftOutMount {
  mount: Mount;
  reason: LeftOutReason;
}

/** Which file systems below a capture's root belong to it. */
export interface MountPlan {
  /** The file system that the root of the capture lies on. */
  root: Mount | undefined;
  /** Mounted below the root and part of the capture. */
  captured: Mount[];
  /** Mounted below the root and left out; what is mounted below them is left out with them and not named. */
  leftOut: LeftOutMount[];
}

/** What each reason means, for people. */
export const leftOutMeaning: Readonly<Record<LeftOutReason, string>> = {
  kernel: 'made up by the kernel',
  memory: 'in memory only',
  network: 'on the network',
  medium: 'a read-only medium',
  container: 'of a container',
  twice: 'seen at another mount point too',
  'other-file-system': 'another file system',
};

const typesOf: Readonly<Record<Exclude<LeftOutReason, 'twice' | 'other-file-system'>, readonly string[]>> = {
  kernel: (
    'proc sysfs devtmpfs devpts cgroup cgroup2 securityfs debugfs tracefs configfs pstore bpf fusectl mqueue ' +
    'hugetlbfs binfmt_misc autofs rpc_pipefs nfsd efivarfs selinuxfs smackfs nsfs functionfs resctrl ' +
    'fuse.gvfsd-fuse fuse.portal fuse.lxcfs'
  ).split(' '),
  memory: ['tmpfs', 'ramfs', 'rootfs'],
  network: (
    'nfs nfs4 cifs smb3 smbfs ncpfs afs coda ceph lustre 9p virtiofs glusterfs pvfs2 orangefs beegfs gpfs ocfs2 gfs2 ' +
    'davfs vboxsf prl_fs vmhgfs fuse.sshfs fuse.glusterfs fuse.s3fs fuse.rclone fuse.ceph fuse.vmhgfs-fuse fuse.davfs2'
  ).split(' '),
  medium: ['iso9660', 'udf', 'squashfs', 'erofs', 'cramfs', 'romfs', 'fuse.squashfuse', 'fuse.snapfuse'],
  container: ['overlay', 'aufs', 'fuse.fuse-overlayfs', 'shiftfs'],
};
const localTypes = new Set(
  (
    'ext2 ext3 ext4 xfs btrfs vfat msdos exfat f2fs jfs reiserfs nilfs2 zfs bcachefs ntfs ntfs3 fuseblk hfs hfsplus ' +
    'minix ubifs jffs2'
  ).split(' '),
);

/** The mounts of `/proc/self/mountinfo`, in its order; lines that are none are passed over. */
export function parseMountInfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const separator = fields.indexOf('-', 6);
    const [, , device, root, mountPoint, options] = fields;
    const [type, source] = separator < 0 ? [] : fields.slice(separator + 1);
    if (!device || !root || !mountPoint || options === undefined || !type || source === undefined) continue;
    mounts.push({
      device,
      root: unescapeOctal(root),
      mountPoint: unescapeOctal(mountPoint),
      options,
      type,
      source: unescapeOctal(source),
    });
  }
  return mounts;
}

/** Why a file system of this kind holds nothing of the machine; undefined for one that does. */
export function reasonToLeaveOut(mount: Pick<Mount, 'type' | 'source'>): LeftOutReason | undefined {
  if (localTypes.has(mount.type)) return undefined;
  for (const [reason, types] of Object.entries(typesOf)) {
    if (types.includes(mount.type)) return reason as LeftOutReason;
  }
  if (mount.type.startsWith('fuse')) return 'network';
  return mount.source.startsWith('/dev/') ? undefined : 'kernel';
}

/**
 * Which file systems a capture of the directory `root` (absolute, no slash at its end unless it is `/`) takes. The one
 * that holds the root is always taken, whatever it is. A file system mounted at several places (bind mounts) is taken
 * once, where most of it is seen.
 */
export function planMounts(mounts: readonly Mount[], root: RawPath, oneFileSystem = false): MountPlan {
  // Of several mounts at one place the last hides the others.
  const visible = [...new Map(mounts.map((mount) => [mount.mountPoint, mount])).values()];
  const holder = visible
    .filter((mount) => isWithin(root, mount.mountPoint))
    .sort((left, right) => right.mountPoint.length - left.mountPoint.length)[0];
  const below = visible
    .filter((mount) => mount !== holder && mount.mountPoint !== root && isWithin(mount.mountPoint, root))
    .sort((left, right) => left.mountPoint.length - right.mountPoint.length);
  const plan: MountPlan = { root: holder, captured: [], leftOut: [] };
  const candidates: Mount[] = [];
  for (const mount of below) {
    const reason = oneFileSystem ? 'other-file-system' : reasonToLeaveOut(mount);
    if (reason !== undefined) plan.leftOut.push({ mount, reason });
    else candidates.push(mount);
  }
  const taken: Mount[] = holder === undefined ? [] : [shownFrom(holder, root)];
  for (const mount of candidates.sort((left, right) => left.root.length - right.root.length)) {
    const related = taken.some((other) => other.device === mount.device && overlap(other.root, mount.root));
    if (related) plan.leftOut.push({ mount, reason: 'twice' });
    else {
      taken.push(mount);
      plan.captured.push(mount);
    }
  }
  const outermost = plan.leftOut.filter(({ mount }) => !plan.leftOut.some((other) => isBelow(mount, other.mount)));
  plan.leftOut = outermost.sort((left, right) => (left.mount.mountPoint < right.mount.mountPoint ? -1 : 1));
  plan.captured = plan.captured.filter((mount) => !outermost.some((other) => isBelow(mount, other.mount)));
  return plan;
}

/** A path below the capture's root, relative to it. */
export function relativeTo(root: RawPath, path: RawPath): RawPath {
  return (root === '/' ? path.slice(1) : path.slice(root.length + 1)) as RawPath;
}

/** True for `directory` itself and what lies below it. */
export function isWithin(path: string, directory: string): boolean {
  return path === directory || directory === '/' || path.startsWith(`${directory}/`);
}

/** The mount as seen from a capture's root that lies below its mount point: only that part of it is taken. */
function shownFrom(mount: Mount, root: RawPath): Mount {
  const inside = relativeTo(mount.mountPoint, root);
  if (root === mount.mountPoint || inside === '') return mount;
  return { ...mount, root: `${mount.root === '/' ? '' : mount.root}/${inside}` as RawPath };
}

function isBelow(mount: Mount, other: Mount): boolean {
  return mount !== other && isWithin(mount.mountPoint, other.mountPoint);
}

function overlap(left: string, right: string): boolean {
  return isWithin(left, right) || isWithin(right, left);
}

function unescapeOctal(text: string): RawPath {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  ) as RawPath;
}
