import { quoteForGrub } from './grub-config.ts';
import { withMenuBlock } from './menu-block.ts';

/** The imager in the menu of a GRUB that is not ours. */
export interface ImagerMenu {
  /** UUID of the file system on which it lies, with GRUB's own files. */
  uuid: string;
  /** Its directory there, as GRUB names it: `/boot/grub/imprint-imager`. */
  directory: string;
  /** Kernel command line. */
  words: readonly string[];
}

/** Id of its entry: what `next_entry` names. */
export const imagerMenuId = 'imprint-imager';

const what = 'the imager, for one start (imprint media disk)';

/**
 * `custom.cfg` with the imager in it, or (undefined) without; what others wrote there stays. The entry starts nothing unless the disk says that the choice is forgotten: where GRUB cannot write
 * its environment block, it would come here at every start. It then falls back to the first entry of the menu.
 */
export function withImagerMenu(custom: string, menu: ImagerMenu | undefined): string {
  if (menu === undefined) return withMenuBlock(custom, what, undefined);
  const { uuid, directory, words } = menu;
  return withMenuBlock(custom, what, [
    'if [ "$boot_once" = true ]; then',
    '  set fallback=0',
    'fi',
    `menuentry 'Imprint imager, for one start' --id ${imagerMenuId} --unrestricted {`,
    '  set next_entry=',
    '  load_env next_entry',
    '  if [ -n "$next_entry" ]; then',
    "    echo 'GRUB cannot write here: the imager would be started for ever, so it is not.'",
    '    sleep 3',
    '  else',
    `    search --no-floppy --fs-uuid --set=root ${quoteForGrub(uuid)}`,
    `    linux ${quoteForGrub(`${directory}/vmlinuz`)} ${words.map(quoteForGrub).join(' ')}`,
    `    initrd ${quoteForGrub(`${directory}/initrd.img`)}`,
    '  fi',
    '}',
  ]);
}

/** Why a `grub.cfg` does not do for this; undefined where it does. */
export function problemOfGrubConfig(config: string): string | undefined {
  if (!/save_env\b[^\n]*\bnext_entry\b/.test(config)) return 'its grub.cfg knows no entry for one start (next_entry)';
  if (!config.includes('custom.cfg')) return 'its grub.cfg does not read custom.cfg';
  if (!config.includes('boot_once')) return 'its grub.cfg does not say when it starts an entry for once (boot_once)';
  return undefined;
}
