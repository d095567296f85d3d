import type { BootKernel } from './image-content.ts';
import { serialConsole } from './kernel-options.ts';
import { grubModuleOf, type RootFileSystem } from './root-file-system.ts';

/** What the boot menu of an installed machine is made of. */
export interface BootMenu {
  /** For the entries' titles: `Debian GNU/Linux 12 (bookworm)`. */
  title: string;
  /** Newest first. */
  kernels: readonly BootKernel[];
  root: { uuid: string; partitionUuid: string; type: RootFileSystem };
  /** Where the kernels lie, where that is a file system of its own: their paths are then relative to it. */
  boot?: { uuid: string };
  /** Beside `root=`. */
  options: readonly string[];
  /** Seconds that the menu waits. */
  timeout: number;
}

/**
 * `grub.cfg` of an installed machine: an entry for each kernel, newest first, and a recovery entry each. GRUB finds the root
 * by its UUID, so the disk boots from any controller and in either firmware. Where the kernel talks on a serial line, GRUB does so too.
 */
export function renderGrubConfig(menu: BootMenu): string {
  const lines = [
    '# Written by Imprint. update-grub, or grub2-mkconfig, may write it anew at any time.',
    'set default=0',
    `set timeout=${menu.timeout}`,
    'set timeout_style=menu',
    ...renderTerminals(serialConsole(menu.options)),
    'insmod part_gpt',
    `insmod ${grubModuleOf[menu.root.type]}`,
    `search --no-floppy --fs-uuid --set=root ${menu.boot?.uuid ?? menu.root.uuid}`,
    '',
    ...menu.kernels.flatMap((kernel) => entry(menu, kernel, false)),
    ...menu.kernels.flatMap((kernel) => entry(menu, kernel, true)),
    'if [ -s $prefix/custom.cfg ]; then',
    '  source $prefix/custom.cfg',
    'fi',
    '',
  ];
  return lines.join('\n');
}

/** Lines by which GRUB speaks on a serial line, too; none without one. */
export function renderTerminals(serial: { unit: number; speed: number } | undefined): string[] {
  if (serial === undefined) return [];
  return [
    `serial --unit=${serial.unit} --speed=${serial.speed}`,
    'terminal_input console serial',
    'terminal_output console serial',
  ];
}

/** The small configuration inside GRUB's core: finds a file system and hands over to the menu in a directory of it. */
export function renderCoreConfig(uuid: string, prefix = '/boot/grub'): string {
  return [`search.fs_uuid ${uuid} root`, `set prefix=($root)${prefix}`, ''].join('\n');
}

function entry(menu: BootMenu, kernel: BootKernel, recovery: boolean): string[] {
  const title = `${menu.title}, Linux ${kernel.version}${recovery ? ' (recovery)' : ''}`;
  // Only an initial RAM disk can look for the UUID of a file system; a bare kernel knows partitions.
  const root =
    kernel.initrd === undefined
      ? [`root=PARTUUID=${menu.root.partitionUuid}`, `rootfstype=${menu.root.type}`, 'rootwait']
      : [`root=UUID=${menu.root.uuid}`];
  const directory = menu.boot === undefined ? '/boot' : '';
  const words = [...root, 'ro', ...(recovery ? ['single'] : []), ...menu.options].map(quoteForGrub);
  return [
    `menuentry ${quoteForGrub(title)} {`,
    `  linux ${directory}/${kernel.kernel} ${words.join(' ')}`,
    ...(kernel.initrd === undefined ? [] : [`  initrd ${directory}/${kernel.initrd}`]),
    '}',
  ];
}

/** A word for GRUB's shell: in single quotes where it holds anything that the shell would read. */
export function quoteForGrub(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll(/[\r\n]/g, ' ').replaceAll("'", `'\\''`)}'`;
}
