import type { ArgumentDefinition, CommandDefinition } from './command.ts';

const layout: ArgumentDefinition = { name: 'LAYOUT', description: 'a file, or single, slots or files' };

export const layoutCommands: readonly CommandDefinition[] = [
  {
    name: 'layout show',
    group: 'Disks',
    summary: 'show a layout: a built-in one, or a file as it is understood',
    arguments: [layout],
    examples: [['imprint layout show slots', 'what the layout slots means, as a beginning of your own']],
    load: () => import('./commands/layout-show.ts'),
  },
  {
    name: 'layout check',
    group: 'Disks',
    summary: 'tell of all that is wrong with a layout, with its lines',
    arguments: [layout],
    examples: [['imprint layout check web.yaml', 'before any machine is seen']],
    load: () => import('./commands/layout-check.ts'),
  },
  {
    name: 'layout solve',
    group: 'Disks',
    summary: 'draw disks before and after a layout, and count what is lost',
    description:
      'Nothing is written. The disks are those of this machine, of one that the server knows, or empty ones that are only thought of.',
    arguments: [layout],
    options: [
      { flags: '--machine <name>', description: 'on the disks of this machine, as it last told of them' },
      { flags: '--disk <size>', description: 'on an empty disk of this size: 500G, 4T/4096; repeatable', repeat: true },
      { flags: '--firmware <kind>', description: 'bios or uefi (default: as the machine has it)' },
      { flags: '--image <ref>', description: 'with room for this version' },
    ],
    examples: [
      ['imprint layout solve web.yaml --machine web01', 'what would become of its disks'],
      ['imprint layout solve web.yaml --disk 500G --disk 4T/4096', 'on two disks that are only thought of'],
    ],
    load: () => import('./commands/layout-solve.ts'),
  },
];
