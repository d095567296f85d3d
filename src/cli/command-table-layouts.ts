import type { ArgumentDefinition, CommandDefinition } from './command.ts';

const layout: ArgumentDefinition = {
  name: 'LAYOUT',
  description: 'a file; single, slots, files or multi; or an image, as its golden machine was',
};

export const layoutCommands: readonly CommandDefinition[] = [
  {
    name: 'layout capture',
    group: 'Disks',
    summary: 'write down what the disks of a golden machine are for',
    description:
      'Partitions, arrays, encryption, volume groups, file systems and swap become an intent, with remarks where each value came from. ' +
      'Nothing is written there, and no content is read.',
    arguments: [
      { name: 'SOURCE', description: '/ (this machine), ssh://[user@]host, or an image: web:3', optional: true },
    ],
    options: [
      { flags: '--output <file>', description: 'write it there; a file that is there already stays' },
      { flags: '-i, --identity <file>', description: 'private key for ssh' },
      { flags: '-o, --ssh-option <option>', description: 'an option as for ssh -o; repeatable', repeat: true },
    ],
    examples: [
      ['imprint layout capture ssh://root@golden.example --output web.yaml', 'from a machine that runs'],
      ['imprint layout capture web:3', 'what the machine was when this version was captured'],
    ],
    load: () => import('./commands/layout-capture.ts'),
  },
  {
    name: 'layout show',
    group: 'Disks',
    summary: 'show a layout: built in, of a file, or of an image',
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
      { flags: '--machine <range>', description: 'on the disks of these machines, as they last told of them' },
      { flags: '--disk <size>', description: 'on an empty disk of this size: 500G, 4T/4096; repeatable', repeat: true },
      { flags: '--firmware <kind>', description: 'bios or uefi (default: as the machine has it)' },
      { flags: '--image <ref>', description: 'with room for this version' },
    ],
    examples: [
      ['imprint layout solve web.yaml --machine web01', 'what would become of its disks'],
      ['imprint layout solve web.yaml --machine web[01-20] --image web', 'which of them could take it'],
      ['imprint layout solve web.yaml --disk 500G --disk 4T/4096', 'on two disks that are only thought of'],
    ],
    load: () => import('./commands/layout-solve.ts'),
  },
];
