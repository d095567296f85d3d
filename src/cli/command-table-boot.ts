import type { CommandDefinition, OptionDefinition } from './command.ts';

/** Where a command takes a safety copy: of the server. */
const fromServer: readonly OptionDefinition[] = [
  { flags: '--machine <name>', description: 'the newest copy of this machine that the server keeps, instead of FILE' },
  { flags: '--copy <number>', description: 'with --machine: another one (imprint boot copies)' },
];
const disk: OptionDefinition = {
  flags: '--disk <disk>',
  description: '/dev/NAME, a rule (serial=…), or a disk image',
};

export const bootCommands: readonly CommandDefinition[] = [
  {
    name: 'boot save',
    group: 'Boot',
    summary: 'keep what makes a disk boot in one file, before it is needed',
    description:
      'Boot code, partition table, gap, BIOS boot partition, ESP, boot variables, grubenv; each with its hash. The file is a tar in gzip, with a page ' +
      'on how to do without Imprint. Without --disk: the disk that this machine boots from.',
    arguments: [{ name: 'FILE', description: 'the copy: web01.boot.tar.gz; best not on that disk', optional: true }],
    options: [
      {
        flags: '--machine <name>',
        description: 'have the server keep it as a copy of this machine; with or without FILE',
      },
      disk,
      { flags: '-f, --force', description: 'replace FILE, if it is there' },
    ],
    examples: [
      ['imprint boot save /media/usb/web01.boot.tar.gz', 'of the disk that this machine boots from'],
      ['imprint boot save --machine web01', 'to the server; the last ten stay'],
      ['imprint boot save pc7.tar.gz --disk pc7.img', 'of a disk image'],
    ],
    load: () => import('./commands/boot-save.ts'),
  },
  {
    name: 'boot restore',
    group: 'Boot',
    summary: 'bring back what makes a disk boot, and prove it',
    description:
      'Finds the disk by serial number, size and table, whatever it is called today; shows what differs and asks; keeps what is there now in another copy; ' +
      'writes, and reads back. A partition table that is whole is replaced only where --parts names it; files of Windows are brought back, never replaced.',
    arguments: [{ name: 'FILE', description: 'a safety copy of imprint boot save', optional: true }],
    options: [
      ...fromServer,
      disk,
      { flags: '--parts <parts>', description: 'only these: table,code,gap,bios-boot,esp,variables' },
      { flags: '--undo <file>', description: 'where what is there now is kept (default: beside FILE)' },
      { flags: '-f, --force', description: 'also onto a clone, with another serial number' },
    ],
    examples: [
      ['imprint boot restore web01.boot.tar.gz --dry-run', 'what differs, and what would be written'],
      ['imprint boot restore web01.boot.tar.gz', 'also from a rescue system: it finds the disk'],
      ['imprint boot restore --machine web01', 'with what the server keeps'],
      ['imprint boot restore web01.boot.tar.gz --parts table', 'the old partition table, over another one'],
    ],
    load: () => import('./commands/boot-restore.ts'),
  },
  {
    name: 'boot check',
    group: 'Boot',
    summary: 'look whether a disk can boot, and what differs from a copy',
    description:
      'Follows what BIOS and UEFI would do, and says where they would stop. Exit status 5 where something is wrong, or differs.',
    arguments: [{ name: 'FILE', description: 'a safety copy to compare with', optional: true }],
    options: [...fromServer, disk],
    examples: [
      ['imprint boot check', 'the disk that this machine boots from'],
      ['imprint boot check web01.boot.tar.gz', 'what has changed since the copy'],
    ],
    load: () => import('./commands/boot-check.ts'),
  },
  {
    name: 'boot copies',
    group: 'Boot',
    summary: 'list the safety copies that the server keeps of a machine',
    arguments: [{ name: 'MACHINE', description: 'its name' }],
    examples: [['imprint boot copies web01', 'the newest first']],
    load: () => import('./commands/boot-copies.ts'),
  },
  {
    name: 'boot mend',
    group: 'Boot',
    summary: 'make a disk boot again where there is no safety copy',
    description:
      'A GPT of which one copy is damaged comes from the other. On a disk that Imprint installed, GRUB’s core, the boot code and the program on the ESP are made anew ' +
      'from what lies on its boot partition. Only what is broken is written, after what is there was kept; then it is read back.',
    options: [
      disk,
      { flags: '-a, --all', description: 'also what looks whole' },
      { flags: '--undo <file>', description: 'where what is there now is kept (default: here)' },
    ],
    examples: [['imprint boot mend --dry-run', 'what is broken, and what would be made anew']],
    load: () => import('./commands/boot-mend.ts'),
  },
  {
    name: 'boot menu',
    group: 'Boot',
    summary: 'put the other systems of this machine into its boot menu',
    description:
      'Looks into every partition, mounting none, for Linux systems of any distribution, Windows, boot records and memtest; says how BIOS and UEFI would start ' +
      'each, and what stands in the way. Each entry hands over to the system’s own loader, so updates there need nothing here. What is not said stays as it was.',
    options: [
      { flags: '--disk <disk>', description: 'look only at this disk (default: all that are not removable)' },
      {
        flags: '--on <directory>',
        description: 'a menu of its own, on the partition mounted there; asks before it writes boot code',
      },
      { flags: '--undo <file>', description: 'with --on: where what boots now is kept (default: here)' },
      {
        flags: '--default <entry>',
        description: 'what starts by itself: an entry, imprint, or a system of imprint slots',
      },
      { flags: '--timeout <seconds>', description: 'how long the menu waits; -1: until a key is pressed' },
      { flags: '--password-file <file>', description: 'who changes entries must know its first line (- is stdin)' },
      { flags: '--no-password', description: 'take the password away' },
      { flags: '--lock <entry>', description: 'start this entry only with the password; repeatable', repeat: true },
    ],
    examples: [
      ['imprint boot menu --dry-run', 'what there is, how it would be started, and the menu'],
      ['imprint boot menu --timeout 10 --default imprint', 'write it'],
      [
        'imprint boot menu --on /share',
        'of a machine that Imprint did not install, on a partition that all its systems share',
      ],
    ],
    load: () => import('./commands/boot-menu.ts'),
  },
  {
    name: 'boot next',
    group: 'Boot',
    summary: 'choose what starts next, once',
    description:
      'A system of Imprint’s own (imprint slots) is started as a version on trial is; then what starts by itself is back. Else sets BootNext of UEFI, which the firmware forgets when it has used it: the way into a Windows with BitLocker, which asks for its recovery key when a boot menu starts it. ' +
      'Without ENTRY: what there is.',
    arguments: [
      {
        name: 'ENTRY',
        description: 'a system, a number of UEFI (0003), a part of its name, or windows',
        optional: true,
      },
    ],
    options: [{ flags: '--cancel', description: 'take the choice back' }],
    examples: [
      ['imprint boot next', 'what the firmware knows'],
      ['imprint boot next windows', 'then restart'],
    ],
    load: () => import('./commands/boot-next.ts'),
  },
  {
    name: 'boot refresh',
    group: 'Boot',
    summary: 'have this machine boot the kernel that was installed here',
    description:
      'The newest kernel of /boot, with its initial RAM disk, goes to the boot partition, and boots on trial at the next restart. ' +
      'On Debian and its like, installing a kernel and update-initramfs do that by themselves.',
    examples: [['imprint boot refresh', 'after a kernel was installed by hand']],
    load: () => import('./commands/boot-refresh.ts'),
  },
];
