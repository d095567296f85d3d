import { quoteForGrub } from './grub-config.ts';
import { type LiveFrugalStart, liveWords } from './live-start.ts';
import { withMenuBlock } from './menu-block.ts';

/** Files of a live system on a partition, in its directory. */
export const frugalNames = {
  /** The directory, unless another is wanted: at the top of the file system `imprint boot menu` finds it. */
  directory: 'imprint-live',
  kernel: 'vmlinuz',
  initrd: 'initrd.img',
  record: 'live.json',
  store: 'store',
  /** What the system writes. */
  changes: 'changes',
  menu: 'grub.cfg',
} as const;

/** Of the menu entry in another GRUB's menu. */
export const liveMenuId = 'imprint-live';

/** Where the menu of a live system on a partition lies. */
export interface FrugalPlace extends Pick<LiveFrugalStart, 'uuid' | 'directory' | 'image' | 'fileSystem'> {
  /** Whether there is a file for what the system writes. */
  changes: boolean;
  /** For the kernel, last. */
  options: readonly string[];
}

/** `grub.cfg` of a live system on a partition, for whichever GRUB: of a BIOS or UEFI, its own paths looked for by the file system's UUID. */
export function renderFrugalMenu({ uuid, directory, image, fileSystem, changes, options }: FrugalPlace): string {
  const what = { kind: 'frugal' as const, uuid, directory, image, ...(fileSystem && { fileSystem }) };
  const entry = (title: string, start: Pick<LiveFrugalStart, 'changes' | 'toram'>) => {
    const words = [...liveWords({ ...what, ...start }), ...options];
    return [
      `menuentry ${quoteForGrub(title)} {`,
      `  search --no-floppy --fs-uuid --set=root ${quoteForGrub(uuid)}`,
      `  echo ${quoteForGrub(`Loading ${image}.`)}`,
      `  linux ${quoteForGrub(`${directory}/${frugalNames.kernel}`)} ${words.map(quoteForGrub).join(' ')}`,
      `  initrd ${quoteForGrub(`${directory}/${frugalNames.initrd}`)}`,
      '}',
    ];
  };
  const kept = { changes: frugalNames.changes, toram: false };
  return [
    '# Written by Imprint.',
    'set default=0',
    'set timeout=5',
    ...(changes ? entry(`Start ${image}, live: what it writes is kept`, kept) : []),
    ...entry(`Start ${image}, live: what it writes is forgotten`, { toram: false }),
    ...entry(`Start ${image} from memory: the disk can be taken out`, { toram: true }),
    '',
  ].join('\n');
}

const what = 'a live system (imprint media frugal)';

/** `custom.cfg` with an entry that opens the menu of a live system, or (undefined) without; what others wrote there stays. */
export function withLiveMenu(
  custom: string,
  place: Pick<FrugalPlace, 'uuid' | 'directory' | 'image'> | undefined,
): string {
  if (place === undefined) return withMenuBlock(custom, what, undefined);
  const { uuid, directory, image } = place;
  const menu = quoteForGrub(`${directory}/${frugalNames.menu}`);
  return withMenuBlock(custom, what, [
    `menuentry ${quoteForGrub(`${image}, live (Imprint)`)} --id ${liveMenuId} {`,
    // Harmless where they are built in, or where nobody has them.
    '  insmod part_gpt; insmod part_msdos; insmod ext2; insmod xfs; insmod btrfs; insmod fat',
    `  search --no-floppy --fs-uuid --set=root ${quoteForGrub(uuid)}`,
    `  configfile ${menu}`,
    '}',
  ]);
}
