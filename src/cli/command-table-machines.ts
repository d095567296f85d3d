import type { ArgumentDefinition, CommandDefinition, OptionDefinition } from './command.ts';
import { scriptCommands } from './command-table-scripts.ts';

const range: ArgumentDefinition = {
  name: 'MACHINE',
  description: 'names or node ranges: web01, web[01-20], or a MAC address',
  variadic: true,
};

const installOptions: readonly OptionDefinition[] = [
  {
    flags: '--disk <rule>',
    description:
      'which disk may be written: /dev/sda, serial=…, model=GLOB, size>=200G, smallest … (default: the only one)',
  },
  {
    flags: '--layout <layout>',
    description: 'single (one root), slots, files, multi (several systems), or a file of your own',
  },
  { flags: '--slots <count>', description: 'system partitions of slots (default: 2) and multi (4)' },
  { flags: '--share <size>', description: 'multi: size of /share (default: what the slots leave)' },
  { flags: '--home <place>', description: 'multi: /home local (default), on the share, or SERVER:/path' },
  { flags: '--fs <type>', description: 'file system of root, slots or host partition: ext4, xfs or btrfs' },
  { flags: '--swap <size>', description: 'a swap partition of this size: 4G' },
  { flags: '--kernel-options <text>', description: 'kernel options beside those of the image' },
  {
    flags: '--erase <kinds>',
    description: 'what may be lost beside Linux: windows, recovery, vendor, luks, raid, lvm, other, unknown, or all',
  },
  { flags: '--boot-copy <none>', description: 'write disks without keeping a copy of what boots from them now' },
  { flags: '--afterwards <what>', description: 'when it is installed: reboot, poweroff or wait' },
];

export const machineCommands: readonly CommandDefinition[] = [
  {
    name: 'machines',
    group: 'Machines',
    summary: 'list machines, how they are, and what they have',
    arguments: [{ ...range, optional: true }],
    examples: [
      ['imprint machines', 'all of them'],
      ['imprint machines web[01-20]', 'those of a range'],
    ],
    load: () => import('./commands/machines.ts'),
  },
  {
    name: 'machine show',
    group: 'Machines',
    summary: 'show one machine: facts, disks, image, problems',
    arguments: [{ name: 'MACHINE', description: 'its name or a MAC address' }],
    examples: [['imprint machine show web01', 'all that is known']],
    load: () => import('./commands/machine-show.ts'),
  },
  {
    name: 'machine add',
    group: 'Machines',
    summary: 'register machines by name, before or after they show up',
    arguments: [{ name: 'RANGE', description: 'a name or a node range: web[01-20]' }],
    options: [
      {
        flags: '--mac <address>',
        description: 'its MAC address; once for each machine of the range, in order',
        repeat: true,
      },
      { flags: '--address <address>', description: 'its IPv4 address; 10.0.0.11+ counts up through the range' },
      { flags: '--image <ref>', description: 'the image that it should have' },
      { flags: '--group <name>', description: 'a group that it is in; repeatable', repeat: true },
      ...installOptions,
    ],
    examples: [
      ['imprint machine add web[01-20] --address 10.0.0.11+ --image web', 'twenty machines in a row'],
      ['imprint machine add db1 --mac 52:54:00:12:34:56 --disk smallest', 'one, known by its MAC address'],
    ],
    load: () => import('./commands/machine-add.ts'),
  },
  {
    name: 'machine set',
    group: 'Machines',
    summary: 'change what machines should be',
    description: 'A machine whose install was refused tries again. An empty value (--disk "") takes a setting away.',
    arguments: [range],
    options: [
      { flags: '--image <ref>', description: 'the image that it should have' },
      { flags: '--address <address>', description: 'its IPv4 address; 10.0.0.11+ counts up through the range' },
      { flags: '--mac <address>', description: 'all its MAC addresses; repeatable', repeat: true },
      { flags: '--group <name>', description: 'all groups that it is in (scripts); repeatable', repeat: true },
      ...installOptions,
      {
        flags: '--keep <glob>',
        description: 'all paths that an update in place leaves alone; repeatable',
        repeat: true,
      },
      { flags: '--carry <glob>', description: 'all state that goes from slot to slot; repeatable', repeat: true },
      { flags: '--object <where>', description: 'server: keep what makes it itself there, too, and bring it back' },
    ],
    examples: [
      ['imprint machine set web01 --disk serial=S3Z9NB0K', 'say which of its disks is to be written'],
      ['imprint machine set web[01-20] --carry /etc/letsencrypt', 'what their updates carry along'],
    ],
    load: () => import('./commands/machine-set.ts'),
  },
  {
    name: 'machine approve',
    group: 'Machines',
    summary: 'give a discovered machine its name',
    arguments: [{ name: 'MACHINE', description: 'as it is listed: mac-525400123456, or a MAC address' }],
    options: [
      { flags: '--name <name>', description: 'its host name from now on', required: true },
      { flags: '--image <ref>', description: 'the image that it should have' },
      { flags: '--address <address>', description: 'its IPv4 address' },
    ],
    examples: [
      ['imprint machine approve mac-525400123456 --name web01 --image web', 'it is ours; nothing is installed yet'],
    ],
    load: () => import('./commands/machine-approve.ts'),
  },
  {
    name: 'machine object',
    group: 'Machines',
    summary: 'show what the server keeps of what makes a machine itself',
    description:
      'Kept where that was asked for (machine set --object server), ten times back; the install of a machine that was replaced brings the newest back.',
    arguments: [{ name: 'MACHINE', description: 'its name or a MAC address' }],
    options: [{ flags: '--forget', description: 'throw it away: the next install begins anew' }],
    examples: [
      ['imprint machine object web01', 'what there is'],
      ['imprint machine object web01 --forget', 'it was broken into, say'],
    ],
    load: () => import('./commands/machine-object.ts'),
  },
  {
    name: 'machine rm',
    group: 'Machines',
    summary: 'forget machines; their disks are not touched',
    arguments: [range],
    options: [{ flags: '-f, --force', description: 'also in the middle of an install' }],
    examples: [['imprint machine rm web[01-20]', 'after asking']],
    load: () => import('./commands/machine-rm.ts'),
  },
  {
    name: 'install',
    group: 'Machines',
    summary: 'order one install on machines, which erases their disk',
    description:
      'The order is carried out once, when the machine next boots from the network, or at once where its imager waits. ' +
      'The disk is chosen by rule; where several fit, or none, nothing is written. A built-in layout erases Linux; Windows, LUKS, RAID, LVM and what nobody knows only where --erase names it.\n' +
      'In a live system of Imprint, with --live and no MACHINE: moves that system onto a disk while it is in use (docs/live-install.md).',
    arguments: [{ ...range, optional: true }],
    options: [
      { flags: '--image <ref>', description: 'what to install; else the image that is set on the machine' },
      ...installOptions,
      {
        flags: '--passphrase-file <file>',
        description: 'its first line opens what the layout encrypts (default: asked at its console)',
      },
      { flags: '--live', description: 'in use at once: the disk is filled meanwhile, without a restart' },
      { flags: '--rate <bytes>', description: 'with --live: fill it by at most so much in a second: 10M' },
      {
        flags: '--name <name>',
        description: 'in a live system: the host name that it gets (default: it keeps its own)',
      },
      { flags: '-w, --wait', description: 'follow the installs until they are done' },
      { flags: '--cancel', description: 'take back orders that have not begun' },
      { flags: '-f, --force', description: 'with --cancel: also in the middle of an install' },
    ],
    examples: [
      ['imprint install web01 --image web', 'at its next netboot'],
      ['imprint install web[01-20] --image web:stable --yes --wait', 'a whole row, watched to the end'],
      ['imprint install web01 --layout files --fs btrfs', 'into an image file on a host partition'],
      ['imprint install web01 --image web --live', 'in use within a minute, installed behind your back'],
      ['imprint install --live --disk smallest', 'in a live system: move it onto that disk, without a restart'],
    ],
    load: () => import('./commands/install.ts'),
  },
  ...scriptCommands,
  {
    name: 'status',
    group: 'Progress',
    summary: 'show the server, its machines and tasks, or this live system',
    examples: [['imprint status', 'everything at a glance']],
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'tasks',
    group: 'Progress',
    summary: 'list tasks, newest first, or show one with what it said',
    arguments: [{ name: 'TASK', description: 'the id of a task', optional: true }],
    options: [
      { flags: '--machine <name>', description: 'those of one machine' },
      { flags: '--running', description: 'those that run now' },
      { flags: '--limit <count>', description: 'at most so many (default: 20)' },
    ],
    examples: [['imprint tasks --running', 'what goes on']],
    load: () => import('./commands/tasks.ts'),
  },
  {
    name: 'watch',
    group: 'Progress',
    summary: 'watch live: everything, some machines, or one task',
    description:
      'Ends with Ctrl-C, or when the task is done. A lost connection is taken up again without missing anything.',
    arguments: [
      { name: 'MACHINE', description: 'machines, node ranges, or the id of a task', variadic: true, optional: true },
    ],
    examples: [
      ['imprint watch', 'all machines'],
      ['imprint watch web01', 'one'],
    ],
    load: () => import('./commands/watch.ts'),
  },
];
