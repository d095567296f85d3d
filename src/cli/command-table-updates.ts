import type { ArgumentDefinition, CommandDefinition, OptionDefinition } from './command.ts';

const machines: ArgumentDefinition = {
  name: 'MACHINE',
  description: 'machines of the server, as names or node ranges; none: this machine',
  variadic: true,
  optional: true,
};

const reboot: OptionDefinition = {
  flags: '--reboot <method>',
  description: 'auto (default), full, kexec, soft (systemd, in place only) or none',
};
const tries: OptionDefinition = {
  flags: '--tries <count>',
  description: 'boots that the version gets to prove itself (default: 3)',
};
const wait: OptionDefinition = {
  flags: '-w, --wait',
  description: 'with MACHINE: follow until it is proven or given up',
};

export const updateCommands: readonly CommandDefinition[] = [
  {
    name: 'update',
    group: 'Updates',
    summary: 'bring this machine, or others, to another version',
    description:
      'Fetches only what is missing, fills a slot that does not run (or changes the running root), and boots it on trial. ' +
      'A version that does not prove healthy is given up by itself, and the one before runs again.',
    arguments: [machines],
    options: [
      { flags: '--image <ref>', description: 'the version: web:3; here also URL#REF or DIR#REF (default: the newest)' },
      { flags: '--in-place', description: 'change the running root instead of filling another slot' },
      { flags: '--slot <name>', description: 'fill this slot (default: the one that is needed least)' },
      { flags: '--drift <how>', description: 'in place: keep, merge (default) or overwrite local changes' },
      { flags: '--restart-services', description: 'in place: restart services whose files changed' },
      tries,
      reboot,
      { flags: '--rate <bytes>', description: 'fetch at most so much in a second: 10M' },
      {
        flags: '--when <when>',
        description: 'now (default), reboot (the next one), or a time: 02:30, 2026-11-21T02:30',
      },
      wait,
      { flags: '--cancel', description: 'with MACHINE: take back orders that have not begun' },
      { flags: '-f, --force', description: 'with --cancel: also in the middle of an update' },
    ],
    examples: [
      ['imprint update', 'this machine, to the newest version of its image'],
      ['imprint update --image /mnt/store#web:4 --dry-run', 'what would be fetched and done, without a server'],
      ['imprint update web[01-20] --image web:4 --wait', 'twenty machines, watched to the end'],
      ['imprint update web01 --when 02:30', 'tonight'],
    ],
    load: () => import('./commands/update.ts'),
  },
  {
    name: 'revert',
    group: 'Updates',
    summary: 'go back to the version before, or to any other',
    description:
      'The version before lies in its slot still: one restart, nothing is fetched. A version on trial is given up. ' +
      'With --to, a version that is in no slot is fetched as by imprint update.',
    arguments: [machines],
    options: [
      { flags: '--to <ref>', description: 'this version, slot or entry instead of the one before' },
      tries,
      reboot,
      wait,
    ],
    examples: [
      ['imprint revert', 'this machine'],
      ['imprint revert web01 --to web:2 --wait', 'a machine of the server, to a version of long ago'],
    ],
    load: () => import('./commands/revert.ts'),
  },
  {
    name: 'slots',
    group: 'Updates',
    summary: 'show what lies in the slots of this machine, and what boots',
    examples: [['imprint slots', 'and which version is good, on trial, or the one before']],
    load: () => import('./commands/slots.ts'),
  },
  {
    name: 'slot fill',
    group: 'Updates',
    summary: 'put any image into a spare slot of this machine',
    description:
      'The machine works on. The image comes into the boot menu; what starts by itself stays. An image that is there already becomes another version of that system, ' +
      'any other a system of its own, with this machine’s name and keys.',
    arguments: [{ name: 'IMAGE', description: 'a version: debian13, web:3; also URL#REF or DIR#REF' }],
    options: [
      { flags: '--slot <name>', description: 'this slot (default: one that holds nothing)' },
      { flags: '--rate <bytes>', description: 'fetch at most so much in a second: 10M' },
    ],
    examples: [
      ['imprint slot fill debian13', 'the newest version, beside what runs'],
      ['imprint slot fill /mnt/store#web:4 --slot c', 'from a store that lies here'],
    ],
    load: () => import('./commands/slot-fill.ts'),
  },
  {
    name: 'slot free',
    group: 'Updates',
    summary: 'take what lies in a slot out of the boot menu',
    description:
      'Never what runs, what starts by itself, or what waits to be tried. The next fill or update may have it.',
    arguments: [{ name: 'SLOT', description: 'as imprint slots names it' }],
    examples: [['imprint slot free c', 'room for another version']],
    load: () => import('./commands/slot-free.ts'),
  },
  {
    name: 'commit',
    group: 'Updates',
    summary: 'keep the version that runs here on trial, if it is healthy',
    description: 'The agent does that by itself. A version that was chosen in the boot menu becomes the good one.',
    options: [{ flags: '-f, --force', description: 'without looking whether it is healthy' }],
    examples: [['imprint commit', 'this machine boots it from now on']],
    load: () => import('./commands/commit.ts'),
  },
  {
    name: 'object',
    group: 'Updates',
    summary: 'write what makes this machine itself to a file',
    description:
      'Host name, network, SSH host keys, machine-id and what carry: names, as an update carries it from slot to slot. ' +
      'The file holds secrets; it is for root alone.',
    arguments: [{ name: 'FILE', description: 'what is there is replaced' }],
    examples: [['imprint object /mnt/usb/web01.object', 'keep it elsewhere']],
    load: () => import('./commands/object.ts'),
  },
  {
    name: 'agent',
    group: 'Updates',
    summary: 'run the agent of this machine in the foreground',
    description: 'What imprint-agent.service runs: proves trials, reports to the server, carries out its orders.',
    examples: [['imprint agent', 'see what it does']],
    load: () => import('./commands/agent.ts'),
  },
];
