import type { BootEntry } from './boot-pointer.ts';
import { entryIdPattern, sequencePattern, triesPattern } from './boot-pointer-block.ts';
import { bootScriptFunctions } from './boot-script-functions.ts';
import { quoteForGrub, renderTerminals } from './grub-config.ts';
import { bootPartitionPaths, hostPaths } from './installed-layout.ts';

/** What `grub.cfg` of the boot partition depends on: nothing that an update changes. */
export interface PointerConfigOptions {
  /** UUID of the boot partition's file system; passed on as `imprint.boot=UUID`. */
  boot: string;
  /** Seconds that the menu waits. */
  timeout: number;
  /** Serial console on which GRUB speaks, too. */
  serial?: { unit: number; speed: number };
  /** UUID of the host partition, where the layout has one: hand-dropped images and `system-revert` are looked for there. */
  host?: string;
}

/**
 * `grub.cfg` of the boot partition (docs/boot.md): reads the pointer, decides as `decideBoot` does, counts a try before a trial begins, and
 * falls back from what cannot be loaded to the next that can.
 */
export function renderPointerConfig(options: PointerConfigOptions): string {
  const { serial, host } = options;
  // GRUB sets the variable only where it finds the file system.
  const search =
    host === undefined
      ? []
      : [
          `search --no-floppy --fs-uuid --set=imprint_device ${quoteForGrub(host)}`,
          'if [ -n "$imprint_device" ]; then',
          '  set imprint_host=($imprint_device)',
          'fi',
        ];
  return [
    '# Written by Imprint, once: no update changes it. What it does is in docs/boot.md.',
    'set timeout_style=menu',
    `set timeout=${options.timeout}`,
    'set default=0',
    ...renderTerminals(serial),
    `for module in ${scriptModules.join(' ')}; do insmod $module; done`,
    'set imprint_part=$root',
    'set imprint_dir=($imprint_part)/imprint',
    'set imprint_slots=($imprint_part)/slots',
    `set imprint_uuid=${quoteForGrub(options.boot)}`,
    ...search,
    '',
    renderBootFunctions(),
    'imprint_decide',
    'imprint_list',
    'imprint_settle',
    firstEntry,
    'imprint_menu',
    ...systemsHook,
    '',
  ].join('\n');
}

/** Also where the menu has a password: a machine starts by itself. */
const firstEntry = 'menuentry "$imprint_label" --id imprint --unrestricted { imprint_start }';
const oldFirstEntry = 'menuentry "$imprint_label" --id imprint { imprint_start }';
/** Other systems of the machine, where `imprint boot menu` has written them down. */
const systemsHook = [
  `if [ -s ($imprint_part)/${bootPartitionPaths.systems} ]; then`,
  `  source ($imprint_part)/${bootPartitionPaths.systems}`,
  'fi',
];

/** The `grub.cfg` of an earlier install, so that it shows other systems; unchanged where it does already. */
export function withSystemsHook(config: string): string {
  if (config.includes(bootPartitionPaths.systems)) return config;
  return `${config.replace(oldFirstEntry, firstEntry).trimEnd()}\n${systemsHook.join('\n')}\n`;
}

/** Modules that the script needs; the core should have them built in, so that they need not be found. */
export const scriptModules = [
  'part_gpt',
  'ext2',
  'xfs',
  'btrfs',
  'loadenv',
  'regexp',
  'test',
  'loopback',
  'linux',
  'sleep',
  'echo',
  'reboot',
  'search',
] as const;

/** The functions alone, for tests. */
export function renderBootFunctions(): string {
  const fillings: Readonly<Record<string, string>> = {
    ID: quoteForGrub(entryIdPattern),
    'ID-OR-NONE': quoteForGrub(`^(${entryIdPattern.slice(1, -1)})?$`),
    SEQUENCE: quoteForGrub(sequencePattern),
    TRIES: quoteForGrub(triesPattern),
    DROPPED: hostPaths.dropped,
    REVERT: hostPaths.revert,
  };
  return bootScriptFunctions.replaceAll(/@([A-Z-]+)@/g, (_, name: string) => fillings[name] ?? '');
}

/**
 * `entry.cfg` of an entry, sourced by `grub.cfg` in three steps: `list` puts it into the menu, `load` loads its kernel, `dropped` loads the
 * kernel `$imprint_kernel` of a hand-dropped image with this entry's options and addition.
 */
export function renderEntryConfig(entry: BootEntry): string {
  const directory = `$imprint_slots/${entry.id}`;
  const initial = ['initrd', 'addition.cpio']
    .filter((name) => name in entry.files)
    .map((name) => `${directory}/${name}`);
  // GRUB puts a word with spaces into double quotes, as the kernel wants it, and would escape those that are in it.
  const words = (options: readonly string[]) =>
    options.map((option) => quoteForGrub(option.replaceAll('"', ''))).join(' ');
  const isImage = (option: string) => option.startsWith('imprint.image=');
  const dropped = [...entry.kernelOptions.filter((option) => !isImage(option)), `imprint.image=${hostPaths.dropped}`];
  const addition = 'addition.cpio' in entry.files ? ` ${directory}/addition.cpio` : '';
  return [
    `# ${entry.reference.replaceAll(/[^\x20-\x7e]/g, '?')} ${entry.digest}`,
    `set imprint_title=${quoteForGrub(entry.title)}`,
    'if [ "x$imprint_step" = xload ]; then',
    `  if linux ${directory}/vmlinuz ${words(entry.kernelOptions)} $imprint_words; then`,
    ...(initial.length === 0
      ? ['    set imprint_loaded=1']
      : [`    if initrd ${initial.join(' ')}; then`, '      set imprint_loaded=1', '    fi']),
    '  fi',
    'elif [ "x$imprint_step" = xlist ]; then',
    `  set imprint_all="$imprint_all ${entry.id}"`,
    'elif [ "x$imprint_step" = xmenu ]; then',
    `  menuentry "$imprint_title" --id ${entry.id} { imprint_pick ${entry.id} }`,
    ...(entry.kernelOptions.some(isImage)
      ? [
          'elif [ "x$imprint_step" = xdropped ]; then',
          `  if linux $imprint_kernel ${words(dropped)} $imprint_words; then`,
          `    if initrd $imprint_initrd${addition}; then`,
          '      set imprint_loaded=1',
          '    fi',
          '  fi',
        ]
      : []),
    'fi',
    '',
  ].join('\n');
}
