import { z } from 'zod';
import type { BootWay, FoundSystem } from './found-systems.ts';
import { quoteForGrub } from './grub-config.ts';

/** What people say about the menu. */
const optionsSchema = z.object({
  /** Id of the entry that boots by itself; `imprint` is what the pointer decides. */
  default: z.string().optional(),
  /** Seconds that the menu waits; -1: for ever. */
  timeout: z.int().optional(),
  /** `grub.pbkdf2.sha512.…`: who does not know it can start entries, but neither change them nor have the shell. */
  password: z.string().optional(),
  /** Ids of entries that only who knows the password may start. */
  locked: z.array(z.string()).optional(),
});
export type SystemsMenuOptions = z.infer<typeof optionsSchema>;

/** What the script needs beside what its entries load; each is harmless where it is built in. */
const menuModules = [
  ...['part_gpt', 'part_msdos', 'ext2', 'xfs', 'btrfs', 'fat', 'ntfs', 'search', 'search_fs_uuid', 'probe', 'regexp'],
  ...['test', 'true', 'echo', 'sleep', 'chain', 'configfile', 'password_pbkdf2'],
];

/** Who gives the password: GRUB asks for a name, too. */
const menuUser = 'root';

const optionsMark = '# options ';

/** What was said about a menu when it was made, from its text: the next one keeps it. */
export function readMenuOptions(text: string): SystemsMenuOptions {
  const line = text.split('\n').find((each) => each.startsWith(optionsMark));
  try {
    return optionsSchema.parse(JSON.parse(line?.slice(optionsMark.length) ?? '{}'));
  } catch {
    return {};
  }
}

/**
 * The menu of other systems, sourced by a `grub.cfg` at its end: entries that hand over to each system and know no kernel of any that has its own
 * loader. Only what the platform can start is shown. Sets `default`, `timeout` and the password where they are given. `first`: Imprint's own
 * entry stands before these; where it does not, they are the whole menu.
 */
export function renderSystemsMenu(
  systems: readonly FoundSystem[],
  options: SystemsMenuOptions = {},
  first: 'own-entry' | 'none' = 'own-entry',
): string {
  const { password, timeout, locked = [] } = options;
  const entries = (wayOf: (system: FoundSystem) => BootWay | undefined) => {
    const shown = systems.filter((system) => wayOf(system) !== undefined);
    return [...shown.flatMap((system) => entry(system, wayOf(system), locked)), ...fallback(shown, options, first)];
  };
  return [
    '# Written by imprint boot menu, anew each time: what is changed here by hand is lost.',
    `${optionsMark}${JSON.stringify(options)}`,
    ...(timeout === undefined ? [] : [`set timeout=${timeout}`]),
    ...(options.default === undefined ? [] : [`set default=${quoteForGrub(options.default)}`]),
    ...(password === undefined
      ? []
      : [`set superusers=${menuUser}`, 'export superusers', `password_pbkdf2 ${menuUser} ${quoteForGrub(password)}`]),
    `for module in ${menuModules.join(' ')}; do insmod $module; done`,
    finder,
    ...onPlatform(
      '=',
      entries(({ uefi }) => uefi),
    ),
    ...onPlatform(
      '!=',
      entries(({ bios }) => bios),
    ),
    '',
  ].join('\n');
}

/**
 * What GRUB starts by itself where the default cannot be (its disk was pulled, its partition is gone): it would wait for somebody else. It counts the
 * menu's entries from 0.
 */
function fallback(shown: readonly FoundSystem[], options: SystemsMenuOptions, first: 'own-entry' | 'none'): string[] {
  const ids = [...(first === 'own-entry' ? ['imprint'] : []), ...shown.map(({ id }) => id)];
  const chosen = Math.max(0, ids.indexOf(options.default ?? ''));
  // What Imprint boots has its own way down, and ends in a restart.
  if (first === 'own-entry') return chosen === 0 ? [] : ['  set fallback=0'];
  const others = ids.flatMap((_, index) => (index === chosen ? [] : [index]));
  return others.length === 0 ? [] : [`  set fallback="${others.join(' ')}"`];
}

/**
 * Two disks may hold equal file systems (a clone), so the partition's own identifier decides where there is one; GRUB's `search` cannot look for it,
 * `probe` can tell it.
 */
const finder = `
# imprint_find_system FILE-SYSTEM PARTITION: root becomes the partition with these identifiers; either may be -.
function imprint_find_system {
  set imprint_found=
  if [ "x$2" != "x-" ]; then
    for imprint_seen in (*,*); do
      if [ -z "$imprint_found" ]; then
        set imprint_id=
        probe --set=imprint_id --part-uuid $imprint_seen
        if [ "x$imprint_id" = "x$2" ]; then
          regexp --set=1:imprint_found '^[(](.*)[)]$' "$imprint_seen"
        fi
      fi
    done
  fi
  if [ -z "$imprint_found" ]; then
    if [ "x$1" != "x-" ]; then
      search --no-floppy --fs-uuid --set=imprint_found "$1"
    fi
  fi
  if [ -z "$imprint_found" ]; then
    echo "Imprint: the partition of this system is not there any more."
    sleep --interruptible 10
    false
  else
    set root=$imprint_found
    true
  fi
}
`;

/** GRUB knows no empty branch. */
function onPlatform(comparison: '=' | '!=', lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`if [ "x$grub_platform" ${comparison} xefi ]; then`, ...lines, 'fi'];
}

function entry(system: FoundSystem, way: BootWay | undefined, locked: readonly string[]): string[] {
  if (way === undefined) return [];
  const open = locked.includes(system.id) ? '' : ' --unrestricted';
  const find =
    way.kind === 'efi'
      ? `imprint_find_system ${quoteForGrub(way.esp)} -`
      : `imprint_find_system ${quoteForGrub(system.fileSystemUuid ?? '-')} ${quoteForGrub(system.partitionUuid ?? '-')}`;
  return [
    `  menuentry ${quoteForGrub(system.title)} --id ${quoteForGrub(system.id)}${open} {`,
    `    if ${find}; then`,
    ...handOver(way).map((line) => `      ${line}`),
    '    fi',
    '  }',
  ];
}

function handOver(way: BootWay): string[] {
  switch (way.kind) {
    case 'core':
      return ['insmod multiboot', `multiboot ${quoteForGrub(way.path)}`, 'boot'];
    case 'menu':
      return [
        // Its menu looks for its own modules and fonts there.
        `set prefix=($root)${quoteForGrub(way.path.replace(/\/[^/]*$/, ''))}`,
        'export prefix',
        `configfile ${quoteForGrub(way.path)}`,
      ];
    case 'record':
      return [
        // A boot record reads from the first disk of the BIOS: the one that it is on has to be that.
        `regexp --set=1:imprint_disk '^([^,]*)' "$root"`,
        'if [ "x$imprint_disk" != xhd0 ]; then insmod drivemap; drivemap -s (hd0) ($imprint_disk); fi',
        'chainloader +1',
        'boot',
      ];
    case 'ntldr':
      return ['insmod ntldr', `ntldr ${quoteForGrub(way.path)}`, 'boot'];
    case 'efi':
      return [`chainloader ${quoteForGrub(way.path)}`, 'boot'];
    case 'kernel':
      return [
        `linux ${quoteForGrub(way.kernel)} ${way.options.split(' ').map(quoteForGrub).join(' ')}`,
        ...(way.initrd === undefined ? [] : [`initrd ${quoteForGrub(way.initrd)}`]),
        'boot',
      ];
    case 'memtest':
      return [`linux${way.path.endsWith('.bin') ? '16' : ''} ${quoteForGrub(way.path)}`, 'boot'];
  }
}
