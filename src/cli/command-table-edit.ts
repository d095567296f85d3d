import type { CommandDefinition } from './command.ts';

/** Commands that make a version by working in one, or from nothing. */
export const editCommands: readonly CommandDefinition[] = [
  {
    name: 'edit',
    group: 'Images',
    summary: 'work inside a copy of a version; exit 0 makes the next one',
    description:
      'Opens a shell, or runs COMMAND, in a writable copy with mounts of its own: /proc, /sys, /dev and names are there, the package manager works, no ' +
      'service starts, no disk of this machine can be reached. With exit status 0 it becomes a new version, with any other it is thrown away. ' +
      'What was killed is kept: --list, --resume.',
    arguments: [
      { name: 'REF', description: 'an image (its newest version), IMAGE:NUMBER, IMAGE:TAG, …', optional: true },
      { name: 'COMMAND', description: 'after --: run this instead of a shell', optional: true, variadic: true },
    ],
    options: [
      { flags: '-n, --name <image>', description: 'the image that gets the version, if not the one that is edited' },
      { flags: '-t, --tag <tag>', description: 'a tag for the new version; it moves if the image has it already' },
      { flags: '-m, --message <text>', description: 'what this version is about; else the command' },
      { flags: '--keep', description: 'where it ends with another status than 0, keep it to go on with' },
      { flags: '--list', description: 'list edits that go on, or were cut short' },
      { flags: '--resume <edit>', description: 'go on with an edit that was cut short' },
      { flags: '--discard <edit>', description: 'throw an edit away' },
    ],
    examples: [
      ['imprint edit web', 'a shell in the newest version of web'],
      ['imprint edit web --tag patched -- apt-get -y upgrade', 'one command, and a version of what it did'],
      ['imprint edit --resume web-k7pd', 'go on where the last shell was cut short'],
    ],
    load: () => import('./commands/edit.ts'),
  },
  {
    name: 'build',
    group: 'Images',
    summary: 'make a version from a recipe: packages, files and scripts',
    description:
      'A recipe names what to begin from (a Debian suite, or a version of an image) and what to add. The same recipe on the same packages makes the ' +
      'same tree; where the newest version is that tree already, none is made. docs/edit-and-build.md explains recipes.',
    arguments: [{ name: 'RECIPE', description: 'a YAML file' }],
    options: [
      { flags: '-t, --tag <tag>', description: 'a tag for the new version, instead of the recipe’s' },
      { flags: '-m, --message <text>', description: 'what this version is about, instead of the recipe’s' },
      { flags: '--keep', description: 'where a step fails, keep the tree to look around in' },
    ],
    examples: [['imprint build web.yaml', 'the next version of the image that web.yaml names']],
    load: () => import('./commands/build.ts'),
  },
];
