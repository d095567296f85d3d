import type { LayoutFileSystem, LayoutRole } from '../contract/layout.ts';
import type { StorageDevice } from '../contract/storage.ts';
import { formatBytes } from '../foundation/bytes.ts';
import type { GoldenMount, GoldenStack } from './golden-stack.ts';

/** What a device holds itself, as a layout says it. */
export interface CapturedContent {
  role: LayoutRole;
  fileSystem?: Partial<LayoutFileSystem>;
  /** Bytes below which it makes no sense. */
  min?: number;
  /** A wish for its name. */
  name: string;
  /** In words. */
  words: string;
}

const gibibyte = 1024 ** 3;
const espMounts = ['/boot/efi', '/efi', '/boot/loader'];
const roles: Readonly<Record<string, LayoutRole>> = {
  '/': 'root',
  '/home': 'home',
  '/boot': 'boot',
  '/share': 'share',
};
const madeTypes = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'vfat', 'exfat', 'ntfs'];

/** What lies on a device itself, by where the golden machine mounts it; undefined where it mounts it nowhere. */
export function captureContent(stack: GoldenStack, device: StorageDevice): CapturedContent | undefined {
  const mounts = stack.mounts(device.name);
  const installed = ofImprint(device);
  if (installed !== undefined) return installed;
  const [first] = mounts;
  if (first === undefined) return undefined;
  if (first.type === 'swap') return { role: 'swap', name: 'swap', words: 'swap' };
  const main =
    mounts.find(({ mountPoint }) => mountPoint === '/') ??
    mounts.find(({ subvolume }) => subvolume === undefined) ??
    first;
  const role = espMounts.includes(main.mountPoint) ? 'esp' : (roles[main.mountPoint] ?? 'data');
  const type = typeOf(device, main);
  const points = mounts.map(({ mountPoint }) => mountPoint).join(', ');
  const words = `${type ?? device.fileSystem ?? main.type} on ${points}${usedWords(mounts)}`;
  if (role === 'boot' || role === 'esp') return { role, name: role, words };
  const used = Math.max(0, ...mounts.map((mount) => mount.used ?? 0));
  return {
    role,
    name: role === 'data' ? main.mountPoint.slice(1) : role,
    words,
    ...(used === 0 ? {} : { min: roomFor(used) }),
    fileSystem: {
      type: type ?? 'ext4',
      ...(device.label === undefined ? {} : { label: device.label }),
      ...(main.subvolume === undefined ? { mount: main.mountPoint } : {}),
      ...(main.options.length === 0 ? {} : { options: main.options.join(',') }),
      ...subvolumesOf(mounts, main),
    },
  };
}

/** What an install of ours made is known by its own names. */
function ofImprint({ label, partitionName, fileSystem = 'ext4' }: StorageDevice): CapturedContent | undefined {
  const type = fileSystem as LayoutFileSystem['type'];
  const slot = /^system ([a-h])$/.exec(partitionName ?? '')?.[1];
  if (label === 'IMPRINT-BOOT') return { role: 'boot', name: 'boot', words: 'the boot partition that Imprint made' };
  if (label === 'hostpart')
    return {
      role: 'host',
      name: 'host',
      words: 'the host partition of image files',
      fileSystem: { type, label, mount: '/hostpart' },
    };
  return slot === undefined
    ? undefined
    : { role: 'slot', name: slot, words: `the system partition ${slot}`, fileSystem: { type } };
}

function typeOf(device: StorageDevice, main: GoldenMount): LayoutFileSystem['type'] | undefined {
  const type = device.fileSystem ?? main.type;
  return madeTypes.includes(type) ? (type as LayoutFileSystem['type']) : undefined;
}

function subvolumesOf(
  mounts: readonly GoldenMount[],
  main: GoldenMount,
): { subvolumes?: LayoutFileSystem['subvolumes'] } {
  const named = mounts.filter(({ subvolume }) => subvolume !== undefined);
  if (named.length === 0) return {};
  const common = main.options.join(',');
  return {
    subvolumes: named.map(({ subvolume = '', mountPoint, options }) => ({
      name: subvolume.replace(/^\//, ''),
      mount: mountPoint,
      ...(options.length > 0 && options.join(',') !== common ? { options: options.join(',') } : {}),
    })),
  };
}

/** What is there, a third more, and whole gibibytes; the version's own size counts besides, when it is solved. */
function roomFor(used: number): number {
  return used < gibibyte
    ? Math.ceil((used * 4) / 3 / (gibibyte / 4)) * (gibibyte / 4)
    : Math.ceil((used * 4) / 3 / gibibyte) * gibibyte;
}

function usedWords(mounts: readonly GoldenMount[]): string {
  const used = Math.max(0, ...mounts.map((mount) => mount.used ?? 0));
  return used === 0 ? '' : `, ${formatBytes(used)} in use`;
}

/** Weights by size, the smallest being 1, which is what nobody needs to say. */
export function weightsBySize(sizes: readonly number[]): (number | undefined)[] {
  const smallest = Math.min(...sizes);
  const weights = sizes.map((size) => Math.min(1000, Math.max(1, Math.round(size / smallest))));
  return weights.map((weight) => (weight === 1 ? undefined : weight));
}
