import { type InPlaceDirection, journalArgument } from './in-place-journal.ts';
import { imagePath, type PartitionSlot } from './installed-layout.ts';
import { type InstalledStack, stackArguments } from './installed-stack.ts';

/** The program that made an initramfs: it decides how the boot addition hooks in. */
export type InitramfsKind = 'initramfs-tools' | 'dracut';

/** Where the root of an entry lies. */
export type BootRoot =
  /** A partition that is filled while it is not used. */
  | ({ purpose: 'partition' } & RootPlace)
  /** An image file on the host partition; `image` relative to it (`images/HEX.img`), or the digest of its version. */
  | { purpose: 'file'; host: string; image: string }
  /** The one root of the layout `single`; without a journal: as installed. */
  | ({ purpose: 'in-place'; journal?: { direction: InPlaceDirection; id: string } } & RootPlace);

/** The file system of a root, and how the kernel's command line names it. */
export interface RootPlace {
  uuid: string;
  /** By which it is found where a UUID does not do: initial RAM disks set a volume in motion by its name. */
  device?: string;
  /** btrfs. */
  subvolume?: string;
}

/** Where the root in a slot lies. */
export function placeOfSlot({ uuid, device, subvolume }: PartitionSlot): RootPlace {
  return {
    uuid,
    ...(device?.startsWith('/dev/mapper/') ? { device } : {}),
    ...(subvolume === undefined ? {} : { subvolume }),
  };
}

export interface BootArgumentOptions {
  root: BootRoot;
  initramfs: InitramfsKind;
  /** Seconds that a trial has until it must be committed. Default 600. */
  trialSeconds?: number;
  /** The image's own options and those of the machine (`mergeKernelOptions`); none of `root=`, `ro`, `rw`. */
  options: readonly string[];
  /** What lies below the root. */
  stack?: InstalledStack | undefined;
}

/** Seconds after which a kernel that panicked, or an initramfs that cannot go on, restarts the machine. */
const panicSeconds = 30;

/** The kernel command line of an entry, without what GRUB adds (`imprint.slot`, `imprint.seq`, `imprint.kind`, `imprint.boot`, `imprint.try`): docs/boot-addition.md. */
export function bootArguments(request: BootArgumentOptions): string[] {
  const { root, initramfs, trialSeconds, options } = request;
  const given = options.filter((option) => !/^(panic|boot|imprint\.(limit|host|image|journal))=/.test(option));
  return [
    ...rootArguments(root),
    ...stackArguments(request.stack, initramfs),
    'ro',
    ...given,
    `panic=${panicSeconds}`,
    // A hand-dropped image is booted with the words of the good one, and may have another kind of initramfs.
    ...(initramfs === 'initramfs-tools' || root.purpose === 'file' ? ['boot=imprint'] : []),
    // A shell that waits on a console is a machine that hangs.
    ...(initramfs === 'dracut' || root.purpose === 'file' ? ['rd.shell=0', 'rd.emergency=reboot'] : []),
    ...(trialSeconds === undefined ? [] : [`imprint.limit=${trialSeconds}`]),
  ];
}

function rootArguments(root: BootRoot): string[] {
  switch (root.purpose) {
    case 'partition':
      return placeArguments(root);
    case 'file':
      return [`imprint.host=UUID=${root.host}`, `imprint.image=${imageOf(root.image)}`];
    case 'in-place':
      return [
        ...placeArguments(root),
        ...(root.journal === undefined ? [] : [journalArgument(root.journal.direction, root.journal.id)]),
      ];
  }
}

export function placeArguments({ uuid, device, subvolume }: RootPlace): string[] {
  return [`root=${device ?? `UUID=${uuid}`}`, ...(subvolume === undefined ? [] : [`rootflags=subvol=${subvolume}`])];
}

function imageOf(image: string): string {
  return /^(sha256:)?[0-9a-f]{64}$/.test(image) ? imagePath(image) : image;
}
