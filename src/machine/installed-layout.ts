import type { InstalledStack } from './installed-stack.ts';
import type { RootFileSystem } from './root-file-system.ts';

/** How a machine's disk is used: one root that is updated in place; system partitions; image files on a host partition. */
export type SlotLayout = 'single' | 'slots' | 'files';

/** A partition that holds one version. */
export interface PartitionSlot {
  /** `a`, `b`, … */
  name: string;
  /** Of the file system; stays the same whatever is filled in. */
  uuid: string;
  /** Empty where it is no partition. */
  partitionUuid: string;
  fileSystem: RootFileSystem;
  /** Of an array, a volume, an encrypted device: by which it is found. */
  device?: string;
  /** btrfs: the subvolume that is the root. */
  subvolume?: string;
}

/** A file system beside the system's own: what is in it outlives versions. */
export interface DataMount {
  uuid: string;
  /** Absolute. */
  mount: string;
  type: string;
  options: string;
  /** Lives through reinstalls: what is in it is the machine's, and no update's. */
  kept?: true;
}

/** What every version mounts beside them: a directory over another (`bind`), or a network file system. */
export interface SharedMount {
  /** `/share/tmp`, `files:/home`. */
  source: string;
  /** Absolute. */
  mount: string;
  type: 'bind' | 'nfs';
  options?: string;
}

/** `imprint/layout.json` of the boot partition: what the install made, which never changes by an update. */
export interface InstalledLayout {
  format: 1;
  layout: SlotLayout;
  /** UUID of the file system of the boot partition, labelled IMPRINT-BOOT. */
  boot: string;
  /** Volume id of the ESP, `1234-ABCD`. */
  esp: string;
  /** UUID. */
  swap?: string;
  /** UUIDs of other swap: beside it, or on what no kernel wakes up from. */
  moreSwap?: string[];
  /** `single`: one, called `root`. `slots`: two and more. `files`: none. */
  slots: PartitionSlot[];
  /** Other file systems of the machine's own layout, which every version on it mounts. */
  data?: DataMount[];
  /** Beside them, of several systems that share something. */
  shared?: SharedMount[];
  /** Files that are swap, absolute. */
  swapFiles?: string[];
  /** Sizes of swap in compressed memory: bytes, or shares of the memory. */
  zram?: string[];
  /** What lies between partitions and file systems. */
  stack?: InstalledStack;
  /** UUIDs of all boot partitions, where each of several disks has one: they are alike, and any starts the machine. */
  boots?: string[];
  /** `files`: the host partition, labelled `hostpart`, mounted on `/hostpart`. */
  host?: { uuid: string; partitionUuid: string; fileSystem: RootFileSystem };
}

/** Where the boot partition has what (relative to its root). */
export const bootPartitionPaths = {
  grub: 'grub',
  menu: 'grub/grub.cfg',
  /** Other systems, by `imprint boot menu`; absent: none. */
  systems: 'grub/systems.cfg',
  pointers: ['imprint/a.env', 'imprint/b.env'],
  tries: 'imprint/tries.env',
  layout: 'imprint/layout.json',
  /** Written by a trial that fails: why. `{ sequence, entry, reason, time }`. */
  failure: 'imprint/failure.json',
  /** Written by who updates: whose order it is, for the agent of the next slot. */
  note: 'imprint/update.json',
  /** Systems beside the one that starts by itself (`boot-systems.ts`); mostly not there. */
  besides: 'imprint/systems.json',
  slots: 'slots',
} as const;

/** Labels by which people, and GRUB as a last resort, find them. */
export const partitionLabels = { boot: 'IMPRINT-BOOT', esp: 'EFI-BOOT', host: 'hostpart' } as const;

/** Where an installed system keeps what Imprint needs (relative to its root). Never part of a version: capture leaves these out. */
export const agentPaths = {
  program: 'usr/lib/imprint',
  command: 'usr/bin/imprint',
  unit: 'etc/systemd/system/imprint-agent.service',
  /** Of this slot: `version.json` (record), `version.json.minisig`, `manifest` (its manifest file). */
  state: 'var/lib/imprint',
  /** People's settings: `agent.yaml`, `health.d/`, `trust/`. */
  settings: 'etc/imprint',
} as const;

/** Where the host partition of the layout `files` has what (relative to its root). */
export const hostPaths = {
  /** The image files, each by the digest of what it was filled with. */
  images: 'images',
  /** What outlives every version. */
  data: 'data',
  /** What people, rsync and clustered file systems know: a view, links into `images/`, but for `dropped` and `revert`, which people make. */
  current: 'hn-root.img',
  old: 'hn-root-old.img',
  broken: 'hn-root-broken.img',
  dropped: 'hn-root-new.img',
  revert: 'system-revert',
} as const;

/** Where a system in an image file has the host partition and the ESP, and the link to its `data` (relative to its root). */
export const hostMounts = { host: 'hostpart', dataLink: 'data0', esp: 'boot/loader' } as const;

/** Name of the slot in the nth system partition, from 0: `a`, `b`, … */
export function partitionSlotName(index: number): string {
  return String.fromCharCode('a'.charCodeAt(0) + index);
}

/** Id of the entry for a version in a slot (`a`, `file`, `root`): `a-1f3c9a0d27e4`. */
export function entryId(slot: string, digest: string): string {
  return `${slot}-${digest.replace(/^sha256:/, '').slice(0, 12)}`;
}

/** Path of the image file that a version is filled into, below the host partition: `images/HEX.img`. */
export function imagePath(digest: string): string {
  return `${hostPaths.images}/${digest.replace(/^sha256:/, '')}.img`;
}
