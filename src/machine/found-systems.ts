import type { BootCode } from './boot-code.ts';
import { isEsp } from './disk-structure.ts';
import { frugalNames } from './live-menu.ts';

/** How a system is handed over to. Paths are as GRUB sees them, on the system's own partition unless told. */
export type BootWay =
  /** The system's own GRUB, as a program of the multiboot protocol: needs no boot record. */
  | { kind: 'core'; path: string }
  /** The system's own menu, read by our GRUB. */
  | { kind: 'menu'; path: string }
  /** The first sector of the partition. */
  | { kind: 'record' }
  /** Windows' second stage, where its boot record was written over. */
  | { kind: 'ntldr'; path: string }
  /** A program of the ESP with this file system UUID. */
  | { kind: 'efi'; path: string; esp: string }
  /** A kernel by itself. */
  | { kind: 'kernel'; kernel: string; initrd?: string; options: string }
  | { kind: 'memtest'; path: string };

export interface FoundSystem {
  /** What the menu calls it; `--default` takes it: `debian-3`, `windows-1`. */
  id: string;
  /** For people: `Debian GNU/Linux 12 (bookworm)`. */
  title: string;
  /** The disk, and the partition's number. */
  disk: string;
  partition: number;
  /** How GRUB finds the partition: by the file system's UUID, else by the partition's own. */
  fileSystemUuid?: string;
  partitionUuid?: string;
  /** Undefined: it cannot be started so. */
  bios?: BootWay;
  uefi?: BootWay;
  /** What is wrong with it, or what to know, in words. */
  remarks: string[];
}

/** What was seen of one partition. */
export interface PartitionView {
  disk: string;
  number: number;
  type: string;
  partitionUuid?: string;
  /** As blkid has it. */
  content?: { type: string; uuid?: string | undefined; label?: string | undefined } | undefined;
  /** What its first sector holds, and whether it has the mark at its end. */
  code: BootCode;
  marked: boolean;
  /** Paths that were looked for and are there, as GRUB sees them; of several kernels the newest. */
  there: ReadonlySet<string>;
  /** Text of `/etc/os-release`, where there is one. */
  release?: string;
  /** Where in the file system the system's root is: a btrfs subvolume, `/@`. */
  root: string;
  kernel?: { kernel: string; initrd?: string };
}

/** A program of an ESP that starts something. */
export interface EfiLoader {
  esp: string;
  /** `/EFI/debian/shimx64.efi`. */
  path: string;
}

const menus = ['/boot/grub/grub.cfg', '/boot/grub2/grub.cfg', '/grub/grub.cfg', '/grub2/grub.cfg'];
const cores = [
  '/boot/grub/i386-pc/core.img',
  '/boot/grub2/i386-pc/core.img',
  '/grub/i386-pc/core.img',
  '/grub2/i386-pc/core.img',
];
const memtests = { bios: '/boot/memtest86+x64.bin', uefi: '/boot/memtest86+x64.efi' } as const;
/** The menu of a live system that `imprint media frugal` put there. */
const liveMenu = `/${frugalNames.directory}/${frugalNames.menu}`;
/** Every path that a partition is asked for. */
export const soughtPaths: readonly string[] = [
  liveMenu,
  ...[...menus, ...cores, memtests.bios, memtests.uefi],
  ...['/bootmgr', '/ntldr', '/Windows/System32'],
];
/** Where a root may lie in a btrfs: the top, or the subvolumes of Debian, Ubuntu, openSUSE and Fedora. */
export const rootPlaces = { btrfs: ['', '/@rootfs', '/@', '/root'], other: [''] } as const;

/** What systems these partitions hold, and how each is started; partitions that hold none are left out. Pure. */
export function classifySystems(views: readonly PartitionView[], loaders: readonly EfiLoader[]): FoundSystem[] {
  const free = new Set(loaders);
  const found = views.flatMap((view) => {
    const system = view.content?.type === 'ntfs' ? windowsOf(view) : (linuxOf(view, free) ?? recordOf(view));
    return [...(system === undefined ? [] : [system]), ...liveOf(view), ...memtestOf(view)];
  });
  return distinct([...found, ...windowsByFirmware(views, free, found)]);
}

/** Partitions of two disks may have one number: each id but the first gets a number of its own, `debian-1-2`. */
function distinct(systems: readonly FoundSystem[]): FoundSystem[] {
  const taken = new Set<string>();
  return systems.map((system) => {
    let { id } = system;
    for (let number = 2; taken.has(id); number += 1) id = `${system.id}-${number}`;
    taken.add(id);
    return { ...system, id };
  });
}

/**
 * Partitions that hold a system, or are marked as the one to start, and have nothing by which it could be started: in words, with what to do. Pure.
 *
 * @param active numbers of partitions that an MBR marks as active, by their disk
 */
export function unstartable(
  views: readonly PartitionView[],
  systems: readonly FoundSystem[],
  active: ReadonlySet<string>,
): string[] {
  return views.flatMap((view): string[] => {
    const { disk, number, there, release, content } = view;
    if (
      systems.some((system) => system.disk === disk && system.partition === number && !system.id.startsWith('memtest'))
    )
      return [];
    const where = `partition ${number} of ${disk}`;
    if (there.has('/Windows/System32') && !systems.some(({ id }) => id.startsWith('windows'))) {
      const mend = 'Windows’ own rescue medium makes them anew (bcdboot C:\\Windows)';
      return [`${where} holds Windows, and no partition has its boot manager: ${mend}`];
    }
    if (release !== undefined) {
      const { name = 'a Linux' } = releaseOf(release);
      return [`${where} holds ${name}, without a kernel or a menu: they are on another partition, or gone`];
    }
    if (active.has(`${disk} ${number}`)) {
      const code = view.marked ? view.code.name : 'no mark at the end of its first sector';
      return [`${where} is active (${content?.type ?? 'of no kind that is known'}), and has no boot record: ${code}`];
    }
    return [];
  });
}

function linuxOf(view: PartitionView, free: Set<EfiLoader>): FoundSystem | undefined {
  const { there, release, kernel, content, root } = view;
  const menu = menus.find((path) => there.has(path));
  const core = cores.find((path) => there.has(path));
  if (menu === undefined && kernel === undefined && core === undefined) return undefined;
  const { name, distribution } = releaseOf(release);
  const loader = takeLoader(free, distribution);
  const direct: BootWay | undefined =
    kernel === undefined || content?.uuid === undefined
      ? undefined
      : {
          kind: 'kernel',
          ...kernel,
          options: `root=UUID=${content.uuid}${root === '' ? '' : ` rootflags=subvol=${root.slice(1)}`} ro`,
        };
  const byMenu: BootWay | undefined = menu === undefined ? undefined : { kind: 'menu', path: root + menu };
  const bios: BootWay | undefined =
    core !== undefined
      ? { kind: 'core', path: root + core }
      : (byMenu ?? (startable(view) ? { kind: 'record' } : direct));
  const uefi: BootWay | undefined = loader === undefined ? (byMenu ?? direct) : { kind: 'efi', ...loader };
  const remarks = [
    ...(release === undefined ? ['no /etc/os-release: a boot partition, or half a system'] : []),
    ...(menu === undefined && core === undefined
      ? [
          'it has no GRUB of its own: its newest kernel is started, and after an update of it the menu must be made again',
        ]
      : []),
  ];
  const label = content?.label === undefined ? '' : ` (${printable(content.label)})`;
  const title = name ?? `Linux on partition ${view.number}${label}`;
  return { ...placeOf(view), id: `${distribution ?? 'linux'}-${view.number}`, title, ...ways(bios, uefi), remarks };
}

/** Windows on BIOS: the partition with its boot manager, which need not be the one with its files. */
function windowsOf(view: PartitionView): FoundSystem | undefined {
  const { there } = view;
  const stage = ['/bootmgr', '/ntldr'].find((path) => there.has(path));
  if (stage === undefined) return undefined;
  const whole = view.marked && view.code.kind === 'windows';
  const bios: BootWay = whole ? { kind: 'record' } : { kind: 'ntldr', path: stage };
  const remarks = whole ? [] : [`its boot record was written over (${view.code.name}): ${stage} is started instead`];
  return {
    ...placeOf(view),
    id: `windows-${view.number}`,
    title: `Windows on partition ${view.number}`,
    bios,
    remarks,
  };
}

function windowsByFirmware(
  views: readonly PartitionView[],
  free: ReadonlySet<EfiLoader>,
  found: readonly FoundSystem[],
): FoundSystem[] {
  const encrypted = views.some(({ content }) => content?.type === 'BitLocker');
  return [...free]
    .filter(({ path }) => /^\/efi\/microsoft\/boot\/bootmgfw\.efi$/i.test(path))
    .map(({ esp, path }, index) => {
      const view = views.find(({ content }) => content?.uuid === esp);
      const number = view?.number ?? index;
      const remark =
        'BitLocker asks for its recovery key when Windows is started from this menu; imprint boot next windows does without';
      return {
        ...(view === undefined ? { disk: '', partition: number } : placeOf(view)),
        id: found.some(({ id }) => id === `windows-${number}`) ? `windows-efi-${number}` : `windows-${number}`,
        title: 'Windows',
        uefi: { kind: 'efi' as const, esp, path },
        remarks: encrypted ? [remark] : [],
      };
    });
}

/** What is known by its boot record alone. */
function recordOf(view: PartitionView): FoundSystem | undefined {
  if (!startable(view)) return undefined;
  const title = `${view.code.name} on partition ${view.number}`;
  const remarks = ['known by its boot record alone'];
  return { ...placeOf(view), id: `record-${view.number}`, title, bios: { kind: 'record' }, remarks };
}

/** Its own menu looks for all that it loads by the file system's UUID. */
function liveOf(view: PartitionView): FoundSystem[] {
  if (!view.there.has(liveMenu)) return [];
  const way: BootWay = { kind: 'menu', path: liveMenu };
  const title = `Live system of Imprint on partition ${view.number}`;
  return [{ ...placeOf(view), id: `live-${view.number}`, title, ...ways(way, way), remarks: [] }];
}

function memtestOf(view: PartitionView): FoundSystem[] {
  const [bios, uefi] = [memtests.bios, memtests.uefi].map((path): BootWay | undefined =>
    view.there.has(path) ? { kind: 'memtest', path: view.root + path } : undefined,
  );
  if (bios === undefined && uefi === undefined) return [];
  return [
    {
      ...placeOf(view),
      id: `memtest-${view.number}`,
      title: 'Memory test (memtest86+)',
      ...ways(bios, uefi),
      remarks: [],
    },
  ];
}

/** A record that starts something. Every FAT has some code, which mostly only says that it does not: there it must be one that is known. */
function startable({ marked, code, content, type }: PartitionView): boolean {
  if (!marked || code.kind === 'empty' || code.kind === 'not-bootable' || isEsp({ type })) return false;
  return code.kind !== 'unknown' || content?.type !== 'vfat';
}

/** The loader of a distribution, by the directory that its packages use; shim before GRUB. */
function takeLoader(free: Set<EfiLoader>, distribution: string | undefined): EfiLoader | undefined {
  if (distribution === undefined) return undefined;
  const own = [...free].filter(({ path }) => path.toLowerCase().startsWith(`/efi/${directoryOf(distribution)}/`));
  const loader =
    own.find(({ path }) => /shim[^/]*\.efi$/i.test(path)) ?? own.find(({ path }) => /grub[^/]*\.efi$/i.test(path));
  // Two systems of one distribution share its directory: the first has it, the other its menu.
  for (const each of own) free.delete(each);
  return loader;
}

function directoryOf(distribution: string): string {
  return distribution.startsWith('opensuse') ? 'opensuse' : distribution === 'rhel' ? 'redhat' : distribution;
}

/** os-release(5). */
function releaseOf(text: string | undefined): { name?: string; distribution?: string } {
  const value = (name: string) => new RegExp(`^${name}=["']?([^"'\\n]*)`, 'm').exec(text ?? '')?.[1];
  const name = value('PRETTY_NAME') ?? value('NAME');
  const distribution = value('ID')
    ?.toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '');
  return { ...(name ? { name: printable(name) } : {}), ...(distribution ? { distribution } : {}) };
}

/** Words of another system, for terminals and menus: nothing in them may steer one. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\ufffd');
}

function placeOf({ disk, number, partitionUuid, content }: PartitionView) {
  return {
    disk,
    partition: number,
    ...(content?.uuid === undefined ? {} : { fileSystemUuid: content.uuid }),
    ...(partitionUuid === undefined ? {} : { partitionUuid }),
  };
}

function ways(bios: BootWay | undefined, uefi: BootWay | undefined): Pick<FoundSystem, 'bios' | 'uefi'> {
  return { ...(bios === undefined ? {} : { bios }), ...(uefi === undefined ? {} : { uefi }) };
}
