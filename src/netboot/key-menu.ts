import { renderTerminals } from '../machine/grub-config.ts';
import { imagerEntries, type MediumMenu, ownDiskEntry } from '../machine/medium-menu.ts';
import { mediumLabels } from '../machine/medium-names.ts';

export interface KeyMenu {
  /** How GRUB finds the key's own FAT file system: `--fs-uuid 1234-ABCD`. */
  search: string;
  /** The imager on the key; absent: there is none. */
  imager?: MediumMenu;
  /** Whether `/imprint/memtest.bin` and `.efi` are there. */
  memtest: boolean;
}

/** `grub.cfg` of a key: every ISO file that is there at this moment, then the tools. `iso.cfg` beside it starts one (`renderIsoScript`). */
export function renderKeyMenu({ search, imager, memtest }: KeyMenu): string {
  return [
    '# Written by Imprint.',
    ...renderTerminals({ unit: 0, speed: 115200 }),
    `search --no-floppy --set=root --hint $root ${search}`,
    'export root prefix',
    // The partition beside this one; else whichever has the label.
    'regexp --set=1:disk \'^([^,]+),\' "$root"',
    'set isos="$disk,gpt3"',
    `if [ ! -e ($isos)/ ]; then search --no-floppy --set=isos --label ${mediumLabels.isos}; fi`,
    'export isos',
    'set timeout=-1',
    'set none=y',
    'for each in ($isos)/*.iso ($isos)/*.ISO ($isos)/*/*.iso; do',
    '  if [ -f "$each" ]; then',
    '    set none=',
    '    regexp --set=1:name \'([^/]*)$\' "$each"',
    '    regexp --set=1:path \'^[(][^)]*[)](.*)$\' "$each"',
    '    submenu "$name" "$path" {',
    '      set iso_path="$2"',
    '      export iso_path',
    '      source $prefix/iso.cfg',
    '    }',
    '  fi',
    'done',
    'if [ -n "$none" ]; then',
    `  menuentry 'No ISO files yet: copy them onto the partition "${mediumLabels.isos}" of this key' { true; }`,
    'fi',
    ...(imager === undefined ? [] : ["submenu 'Imprint: install this machine' {", '  source $prefix/imager.cfg', '}']),
    ...(memtest ? memtestEntry : []),
    ...ownDiskEntry,
    'if [ "$grub_platform" = efi ]; then',
    "  menuentry 'Firmware setup' { fwsetup; }",
    'fi',
    '',
  ].join('\n');
}

/** `imager.cfg` beside it: what starts the imager, the last its self test. */
export function renderImagerMenu(imager: MediumMenu): string {
  return ['# Written by Imprint.', ...imagerEntries(imager, 'Install this machine'), ''].join('\n');
}

const memtestEntry = [
  "menuentry 'Test the memory' {",
  '  if [ "$grub_platform" = efi ]; then chainloader /imprint/memtest.efi',
  '  else linux16 /imprint/memtest.bin; fi',
  '}',
];
