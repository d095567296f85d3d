import { quoteForGrub, renderTerminals } from './grub-config.ts';
import { partitionLabels } from './installed-layout.ts';
import { type LiveMediumStart, liveWords } from './live-start.ts';
import { mediumPaths } from './medium-names.ts';

/** The boot menu of a medium with the imager. */
export interface MediumMenu {
  id: string;
  /** How GRUB finds the file system that holds it all: `--fs-uuid 1234-ABCD`, `--file /imprint/…`. */
  search: string;
  /** URL of the server; absent: `local.cfg` names one, or none is needed. */
  server?: string;
  /** For the kernel's command line, last. */
  kernelOptions?: string;
  /** What is on the medium, for people: `web:3, db:1`. */
  images: readonly string[];
  /** The version that starts from the medium as a live system, with options for its kernel; absent: none does. */
  live?: Pick<LiveMediumStart, 'image' | 'fileSystem'> & { options: readonly string[] };
  /** Whether the kernel starts under Secure Boot by what lies beside it. */
  kernelTrusted: boolean;
}

/** `grub.cfg` of the medium, for GRUB of BIOS and UEFI, its own and the distribution's signed one. */
export function renderMediumMenu(menu: MediumMenu): string {
  const title = menu.images.length === 0 ? 'Install this machine' : `Install this machine (${menu.images.join(', ')})`;
  return [
    '# Written by Imprint.',
    ...renderTerminals({ unit: 0, speed: 115200 }),
    `search --no-floppy --set=root --hint $root ${menu.search}`,
    'set default=0',
    'set timeout=10',
    'set timeout_style=menu',
    ...(menu.kernelTrusted ? [] : untrustedKernel),
    '',
    ...liveEntries(menu),
    ...imagerEntries(menu, title),
    ...ownDiskEntry,
    ...firmwareEntry,
    '',
  ].join('\n');
}

/** The imager's entries alone, for another medium's menu. Paths are of the file system that `root` names. */
export function imagerEntries(menu: MediumMenu, title: string): string[] {
  const words = [
    `imprint.medium=${menu.id}`,
    ...(menu.server === undefined ? [] : [`imprint.server=${menu.server}`]),
    ...kernelWords,
  ].map(quoteForGrub);
  const loading = 'Loading the imager. From an old USB port this takes a minute; nothing is written.';
  const entry = (name: string, ...more: string[]) => bootEntry(menu, { name, loading, words: [...words, ...more] });
  return [
    ...entry(title),
    ...entry('The same, with the simplest graphics', 'nomodeset'),
    ...entry('A shell of the imager, before anything is done', 'imprint.shell'),
    ...entry('Does the imager work on this machine? (self test)', 'imprint.selftest'),
  ];
}

/** What a live system's kernel is told of the server lets it be installed from there later. */
function liveEntries(menu: MediumMenu): string[] {
  const { id, live, server } = menu;
  if (live === undefined) return [];
  const { options, ...what } = live;
  const { image } = what;
  const entry = (name: string, toram: boolean) =>
    bootEntry(menu, {
      name,
      loading: `Loading ${image}. From an old USB port this takes a minute; no disk is written.`,
      words: [
        ...options,
        ...liveWords({ kind: 'medium', medium: id, ...what, toram }),
        ...(server === undefined ? [] : [`imprint.server=${server}`]),
        ...kernelWords,
      ].map(quoteForGrub),
    });
  return [
    ...entry(`Start ${image}, live`, false),
    ...entry(`Start ${image} from memory: the medium can be taken out`, true),
  ];
}

const kernelWords = ['loglevel=4', 'console=tty0', 'console=ttyS0,115200'];

/** One entry; its words are quoted already. */
function bootEntry(
  { search, kernelOptions }: MediumMenu,
  { name, loading, words }: { name: string; loading: string; words: readonly string[] },
): string[] {
  const last = kernelOptions === undefined ? [] : [kernelOptions.replaceAll(/[\x00-\x1f{}"'`$;|&<>\\]/g, ' ')];
  return [
    `menuentry ${quoteForGrub(name)} {`,
    `  search --no-floppy --set=root --hint $root ${search}`,
    `  echo ${quoteForGrub(loading)}`,
    `  linux /${mediumPaths.kernel} ${[...words, ...last].join(' ')}`,
    `  initrd /${mediumPaths.initrd}`,
    '}',
  ];
}

const untrustedKernel = [
  'if [ "$lockdown" = y ]; then',
  "  echo 'Secure Boot is on, and the kernel on this medium is not signed for it: the firmware will refuse it.'",
  "  echo 'Turn Secure Boot off in the firmware setup (last line of the menu), or make the medium on a Debian machine.'",
  '  sleep --interruptible 10',
  'fi',
];

/** Starts the disk of the machine itself. The medium is the first disk to a BIOS that booted from it. */
export const ownDiskEntry: readonly string[] = [
  "menuentry 'Start the disk of this machine' {",
  '  if [ "$grub_platform" = efi ]; then',
  `    if search --no-floppy --label --set=root ${partitionLabels.esp}; then`,
  '      chainloader /EFI/BOOT/BOOTX64.EFI',
  '    else',
  '      exit',
  '    fi',
  '  else',
  '    for disk in hd1 hd2 hd3; do',
  '      if chainloader ($disk)+1; then',
  '        set root=$disk',
  '        boot',
  '      fi',
  '    done',
  "    echo 'No other disk of this machine can be started.'",
  '    sleep --interruptible 10',
  '  fi',
  '}',
];

const firmwareEntry = [
  'if [ "$grub_platform" = efi ]; then',
  "  menuentry 'Firmware setup' {",
  '    fwsetup',
  '  }',
  'fi',
];
