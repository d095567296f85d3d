import { toImprintError } from '../foundation/errors.ts';
import { partitionLabels } from '../machine/installed-layout.ts';
import type { RootFileSystem } from '../machine/root-file-system.ts';
import type { Processes, ProcessOptions } from './run.ts';

export interface RootFileSystemWish {
  device: string;
  fileSystem: RootFileSystem;
  uuid: string;
  /** Bytes of the device. */
  size: number;
  /** Inodes that it must have, where their number is fixed when it is made. */
  inodes: number;
  label?: string;
  /** It is small now, and goes onto a disk that nobody knows yet and grows to its size. */
  portable?: boolean;
}

const patience = 10 * 60_000;

/**
 * What GRUB 2.06 reads and every kernel of the last years mounts, whatever newer tools would choose by themselves: no ext4 checksum
 * seed or orphan file, no btrfs without hole records (GRUB cannot read files with holes there), no large xfs extent counters.
 */
const ext4Features =
  'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum';

/**
 * Sectors that every disk has; as few allocation groups as there may be, since growing adds more of the same size; and a log that is
 * large enough for a large file system, since it never grows.
 */
const portableXfs = ['-s', 'size=4096', '-d', 'agcount=2', '-l', 'size=64m'];

/** Makes a root file system, whatever was there. Errors: `process-failed`, `tool-missing`. */
export async function makeRootFileSystem(
  processes: Processes,
  wish: RootFileSystemWish,
  signal?: AbortSignal,
): Promise<void> {
  const options: ProcessOptions = { timeout: patience, ...(signal && { signal }) };
  const { device, uuid } = wish;
  const label = wish.label === undefined ? [] : ['-L', wish.label];
  switch (wish.fileSystem) {
    case 'ext4': {
      // One inode for 16 KiB is mkfs.ext4's own choice.
      const inodes = wish.inodes > wish.size / 16_384 ? ['-N', String(wish.inodes)] : [];
      const args = [
        '-q',
        '-F',
        '-O',
        ext4Features,
        '-I',
        '256',
        '-b',
        '4096',
        '-m',
        '1',
        ...inodes,
        ...label,
        '-U',
        uuid,
        device,
      ];
      await processes.run('mkfs.ext4', args, options);
      return;
    }
    case 'xfs':
      await makeXfs(
        processes,
        ['-q', '-f', '-m', `uuid=${uuid}`, ...(wish.portable ? portableXfs : []), ...label],
        device,
        options,
      );
      return;
    case 'btrfs':
      await processes.run('mkfs.btrfs', ['-q', '-f', '-O', '^no-holes', ...label, '-U', uuid, device], options);
      return;
  }
}

/**
 * Makes the boot partition: an ext4 that GRUB reads whatever happened to it. Everything is initialised now, so that nothing writes to it
 * later but we; directories stay plain lists, since they are small. Errors: `process-failed`, `tool-missing`.
 */
export async function makeBootFileSystem(
  processes: Processes,
  wish: { device: string; uuid: string },
  signal?: AbortSignal,
): Promise<void> {
  const extended = 'lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0';
  const args = [
    ...['-q', '-F', '-O', `${ext4Features},^dir_index,^resize_inode`, '-I', '256', '-b', '4096', '-m', '0'],
    ...['-J', 'size=8', '-N', '4096', '-L', partitionLabels.boot, '-U', wish.uuid, '-E', extended, wish.device],
  ];
  await processes.run('mkfs.ext4', args, { timeout: patience, ...(signal && { signal }) });
}

/** Large extent counters keep kernels before 5.19 out; xfsprogs that do not know them yet do not know how to leave them off. */
async function makeXfs(processes: Processes, args: string[], device: string, options: ProcessOptions): Promise<void> {
  try {
    await processes.run('mkfs.xfs', [...args, '-i', 'nrext64=0', device], options);
  } catch (thrown) {
    const { details } = toImprintError(thrown);
    if (!/unknown option.*nrext64/.test(String(details.stderr))) throw thrown;
    await processes.run('mkfs.xfs', [...args, device], options);
  }
}

export interface Ext4Wish {
  /** A file, and the byte of it where the file system begins. */
  path: string;
  offset: number;
  /** Bytes, whole blocks of 4 KiB. */
  size: number;
  uuid: string;
  label?: string;
  inodes: number;
  /** Bytes. */
  journal: number;
  /** Seconds since 1970, for all that the file system says of its own making. */
  time: number;
  /** Inode tables are made now and not by the kernel later, which would leave holes in the file. */
  initialised?: boolean;
}

/**
 * Makes an empty ext4 inside a file that reads as zeros: the same wish gives the same bytes. What this machine has in `mke2fs.conf` counts not.
 * Errors: `process-failed`, `tool-missing`.
 */
export async function makeExt4InFile(processes: Processes, wish: Ext4Wish, signal?: AbortSignal): Promise<void> {
  const lazy = wish.initialised ? 0 : 1;
  const extended = `offset=${wish.offset},hash_seed=${wish.uuid},nodiscard,lazy_itable_init=${lazy},lazy_journal_init=${lazy},root_owner=0:0`;
  const args = [
    ...['-q', '-F', '-O', ext4Features, '-I', '256', '-b', '4096', '-m', '1'],
    ...['-J', `size=${wish.journal / 2 ** 20}`, '-N', String(wish.inodes), '-U', wish.uuid],
    ...(wish.label === undefined ? [] : ['-L', wish.label]),
    ...['-E', extended, wish.path, String(wish.size / 4096)],
  ];
  const time = String(wish.time);
  const env = { MKE2FS_CONFIG: '/dev/null', E2FSPROGS_FAKE_TIME: time, SOURCE_DATE_EPOCH: time, TZ: 'UTC' };
  await processes.run('mke2fs', args, { timeout: patience, env, ...(signal && { signal }) });
}

/** Makes an empty FAT32; `volumeId` is 8 hexadecimal digits. */
export async function makeEsp(
  processes: Processes,
  device: string,
  volumeId: string,
  signal?: AbortSignal,
): Promise<void> {
  const args = ['-F', '32', '-n', partitionLabels.esp, '-i', volumeId, device];
  await processes.run('mkfs.vfat', args, { timeout: patience, ...(signal && { signal }) });
}

/** Makes swap. */
export async function makeSwap(
  processes: Processes,
  device: string,
  uuid: string,
  signal?: AbortSignal,
): Promise<void> {
  await processes.run('mkswap', ['--uuid', uuid, device], { timeout: patience, ...(signal && { signal }) });
}

/** Gives a mounted file system all of its device. Errors: `process-failed`, `tool-missing`. */
export async function growFileSystem(
  processes: Processes,
  { fileSystem, directory, device }: { fileSystem: RootFileSystem; directory: string; device: string },
  signal?: AbortSignal,
): Promise<void> {
  const options: ProcessOptions = { timeout: patience, ...(signal && { signal }) };
  if (fileSystem === 'ext4') await processes.run('resize2fs', [device], options);
  else if (fileSystem === 'xfs') await processes.run('xfs_growfs', [directory], options);
  else await processes.run('btrfs', ['filesystem', 'resize', 'max', directory], options);
}
