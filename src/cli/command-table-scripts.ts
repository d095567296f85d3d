import type { ArgumentDefinition, CommandDefinition, OptionDefinition } from './command.ts';

const phase: ArgumentDefinition = { name: 'PHASE', description: 'pre-install, post-install or first-boot' };
const name: ArgumentDefinition = { name: 'NAME', description: 'as it is listed' };
const audience: readonly OptionDefinition[] = [
  { flags: '--image <name>', description: 'for machines that get this image, any version' },
  { flags: '--group <name>', description: 'for the machines of a group (machine set --group)' },
  { flags: '--machine <name>', description: 'for one machine' },
];

/** What installs and first boots run. */
export const scriptCommands: readonly CommandDefinition[] = [
  {
    name: 'scripts',
    group: 'Machines',
    summary: 'list what installs and first boots run',
    description:
      'With a machine: what its next install runs, in that order, beside what its version brings along. Scripts are plain files in DATA/scripts; these commands are there ' +
      'for those who do not sit at the server.',
    arguments: [{ name: 'MACHINE', description: 'its name or a MAC address', optional: true }],
    examples: [
      ['imprint scripts', 'all of them'],
      ['imprint scripts web01', 'what web01 would get'],
    ],
    load: () => import('./commands/scripts.ts'),
  },
  {
    name: 'script add',
    group: 'Machines',
    summary: 'have installs or first boots run a script',
    description:
      'pre-install runs in the imager before the first write to a disk, post-install in the new system before it first starts, first-boot in the system that came up. They run in the order of ' +
      'their names; of several of one name the one for the fewest machines counts. One that fails ends the install.',
    arguments: [phase, { name: 'FILE', description: 'the script; its first line says what runs it (#!/bin/sh)' }],
    options: [...audience, { flags: '--name <name>', description: 'its name there (default: that of the file)' }],
    examples: [
      ['imprint script add pre-install 10-raid --group rack1', 'before the disks of a rack are written'],
      ['imprint script add post-install 50-motd.sh --image web', 'in each new system with that image'],
      ['imprint script add first-boot 20-join --machine db1', 'once, when it has come up'],
    ],
    load: () => import('./commands/script-add.ts'),
  },
  {
    name: 'script show',
    group: 'Machines',
    summary: 'write a script to stdout',
    arguments: [phase, name],
    options: audience,
    examples: [['imprint script show pre-install 10-raid --group rack1', 'as it is']],
    load: () => import('./commands/script-show.ts'),
  },
  {
    name: 'script rm',
    group: 'Machines',
    summary: 'forget a script; what was installed with it stays',
    arguments: [phase, name],
    options: audience,
    examples: [['imprint script rm first-boot 20-join --machine db1', 'later installs do without it']],
    load: () => import('./commands/script-rm.ts'),
  },
];
