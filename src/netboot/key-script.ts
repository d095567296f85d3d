import { isoFamilies, unknownIso } from './iso-families.ts';
import type { IsoEntry, IsoFamily } from './iso-family.ts';

/**
 * The part of a key's menu that starts ISO files, as GRUB script made from the table of families. It looks into a file only when that is chosen, so the menu is
 * there at once, and it knows files that people copied by hand as well as those that `key add` put there.
 *
 * It goes by the exported variables `isos` (the partition with the files, `hd0,gpt3`) and `iso_path` (of the file on it), and works on `(loop)`. `imprint_words`, which
 * nothing sets but `imprint key test`, come after a kernel's own.
 */
export function renderIsoScript(): string {
  return [
    '# Written by Imprint from its table of families: what is in the ISO file $iso_path of ($isos), and how it is started.',
    ...renderDetection(),
    ...isoFamilies.flatMap((family, index) => renderFamily(family, index === 0)),
    'else',
    ...refusalLines(unknownIso),
    'fi',
    '',
  ].join('\n');
}

/** Opens the file, and lets `family` say what it is: the id of a family, or nothing. */
export function renderDetection(): string[] {
  return [
    'if [ -d (loop)/ ]; then loopback -d loop; fi',
    'set family=',
    'if loopback loop "($isos)$iso_path"; then true; else set family=unreadable; fi',
    'probe --set=uuid --fs-uuid ($isos)',
    'probe --set=isouuid --fs-uuid (loop)',
    'probe --set=label --label (loop)',
    'set iso="$iso_path"',
    'set rootuuid=$uuid',
    'export iso iso_path uuid isouuid label rootuuid',
    'set names=:',
    'for each in (loop)/*; do',
    '  if regexp --set=1:name \'/([^/]*)$\' "$each"; then set names="$names$name:"; fi',
    'done',
    // Names that begin with a dot are no part of `*`.
    'if [ -e (loop)/.disk ]; then set names="$names.disk:"; fi',
    ...isoFamilies.flatMap(renderTest),
    '# Files beside the ISO that start its system in its stead.',
    'if [ -f "($isos)$iso_path.vmlinuz" ]; then set family=beside; fi',
    'export family',
  ];
}

/**
 * The first family of which all is there. The names in the ISO's root, read once, decide what is worth a look: every look at a path has GRUB probe the file
 * system anew, which on a slow stick is felt.
 */
function renderTest({ id, has, lacks = [] }: IsoFamily): string[] {
  const guards = has.map((group) => `if regexp ':(${[...new Set(group.map(topOf))].join('|')}):' "$names"; then`);
  return [
    'if [ -z "$family" ]; then',
    ...guards,
    '  set fits=y',
    ...has.flatMap((group) => [
      '  set there=',
      ...group.map((path) =>
        path.includes('*')
          ? `  for each in (loop)${path}; do if [ -e "$each" ]; then set there=y; fi; done`
          : `  if [ -e (loop)${path} ]; then set there=y; fi`,
      ),
      '  if [ -z "$there" ]; then set fits=; fi',
    ]),
    ...lacks.map((path) => `  if [ -e (loop)${path} ]; then set fits=; fi`),
    `  if [ -n "$fits" ]; then set family=${id}; fi`,
    ...guards.map(() => 'fi'),
    'fi',
  ];
}

/** The first part of a path, as a regular expression. */
function topOf(path: string): string {
  return (path.split('/')[1] ?? '').replaceAll('.', '[.]').replaceAll('*', '[^:]*');
}

function renderFamily({ id, entries, refusal }: IsoFamily, isFirst: boolean): string[] {
  const lines = entries.flatMap((entry) => {
    const menuentry = [`menuentry ${quote(entry.title)} {`, ...renderEntry(entry).map((line) => `  ${line}`), '}'];
    // Programs have one name each; of several that a family knows, only those are shown that are there.
    const rendered =
      entry.kind === 'program'
        ? [`if [ -f (loop)${entry.path} ]; then`, ...menuentry.map((line) => `  ${line}`), 'fi']
        : menuentry;
    if (entry.firmware === undefined) return rendered;
    const platform = entry.firmware === 'bios' ? 'pc' : 'efi';
    return [`if [ "$grub_platform" = ${platform} ]; then`, ...rendered.map((line) => `  ${line}`), 'fi'];
  });
  const everywhere = entries.some(({ firmware }) => firmware === undefined);
  const refuse = refusal === undefined || everywhere ? [] : refusalFor(entries, refusal);
  const beside = isFirst ? besideLines : [];
  return [...beside, `elif [ "$family" = ${id} ]; then`, ...[...lines, ...refuse].map((line) => `  ${line}`)];
}

/** A kernel and an initial RAM disk that somebody laid beside the file: the Debian installer's for hard disks. */
const besideLines = [
  'if [ "$family" = beside ]; then',
  "  menuentry 'With the kernel beside it' {",
  '    linux "($isos)$iso_path.vmlinuz" iso-scan/filename=$iso_path findiso=$iso_path $imprint_words',
  '    initrd "($isos)$iso_path.initrd"',
  '  }',
  'elif [ "$family" = unreadable ]; then',
  "  echo 'This file cannot be read as an ISO. Was it copied whole, and the key unmounted'",
  "  echo 'before it was pulled out? Its checksum tells: imprint key list --verify'",
  '  sleep --verbose --interruptible 60',
];

function refusalFor(entries: readonly IsoEntry[], refusal: string): string[] {
  if (entries.length === 0) return refusalLines(refusal);
  const there = entries[0]?.firmware === 'bios' ? 'pc' : 'efi';
  return [`if [ "$grub_platform" != ${there} ]; then`, ...refusalLines(refusal).map((line) => `  ${line}`), 'fi'];
}

/** Words that stay until a key is pressed. */
function refusalLines(refusal: string): string[] {
  const lines = wrap(`This ISO cannot be started from its file. ${refusal}`);
  return [...lines.map((line) => `  echo ${quote(line)}`), '  sleep --verbose --interruptible 60'];
}

/** What an entry does, line by line. */
export function renderEntry(entry: IsoEntry): string[] {
  switch (entry.kind) {
    case 'config':
      return [
        'set root=loop',
        ...(entry.takesPath ? [] : ['set prefix=(loop)/boot/grub']),
        `configfile (loop)${entry.path}`,
      ];
    case 'program':
      return [
        `if [ "$grub_platform" = efi ]; then chainloader (loop)${entry.path} $imprint_words`,
        `else linux16 (loop)${entry.path} $imprint_words; fi`,
      ];
    case 'linux':
      return linuxLines(entry);
  }
}

function linuxLines(entry: Extract<IsoEntry, { kind: 'linux' }>): string[] {
  return [
    ...pick('kernel', [entry.kernels]),
    ...pick('initrds', entry.initrds),
    "echo 'Loading; nothing is written. From an old USB port this takes a minute.'",
    `if linux "$kernel" ${entry.options.replaceAll('$iso', '"$iso"').replaceAll('"$iso"uuid', '$isouuid')} $imprint_words; then`,
    `  initrd $initrds${entry.whole === undefined ? '' : ` newc:${entry.whole}:"($isos)$iso_path"`}`,
    'elif [ "$lockdown" = y ]; then',
    ...wrap(
      'Secure Boot is on, and the kernel of this ISO is not signed by whom this key was made with. Turn Secure Boot off in the firmware setup for as long as you need this system.',
    ).map((line) => `  echo ${quote(line)}`),
    '  sleep --verbose --interruptible 60',
    'fi',
  ];
}

/** Of each list the first file that is there; all of them into one variable, with blanks between. */
function pick(variable: string, lists: readonly (readonly string[])[]): string[] {
  return [
    `set ${variable}=`,
    ...lists.flatMap((candidates, index) => [
      'set found=',
      `for each in ${candidates.map((path) => `(loop)${path}`).join(' ')}; do`,
      '  if [ -z "$found" -a -f "$each" ]; then set found="$each"; fi',
      'done',
      `if [ -n "$found" ]; then set ${variable}="${index === 0 ? '' : `$${variable} `}$found"; fi`,
    ]),
  ];
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.replaceAll('’', "'").split(' ')) {
    if (line !== '' && line.length + 1 + word.length > 78) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
