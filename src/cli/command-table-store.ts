import type { CommandDefinition } from './command.ts';

const grace = {
  flags: '--grace <span>',
  description: 'for how long packs that nobody needs stay for who reads over HTTP (default: 1h; 0: not at all)',
};

/** Ends versions by rules. */
export const retentionCommands: readonly CommandDefinition[] = [
  {
    name: 'image prune',
    group: 'Images',
    summary: 'remove the versions that no rule keeps',
    description:
      'A version stays when any rule keeps it. The newest, tagged ones, and those that a machine has or is to have, always stay. ' +
      'Days, weeks (from Monday), months and years are those of UTC; of each the newest version is kept, for as many as have one. ' +
      'imprint store gc then frees the room.',
    arguments: [{ name: 'IMAGE', description: 'the images', variadic: true, optional: true }],
    options: [
      { flags: '-a, --all', description: 'every image' },
      { flags: '--keep-last <n>', description: 'the last N versions' },
      { flags: '--keep-hourly <n>', description: 'the newest of each hour' },
      { flags: '--keep-daily <n>', description: 'the newest of each day' },
      { flags: '--keep-weekly <n>', description: 'the newest of each week' },
      { flags: '--keep-monthly <n>', description: 'the newest of each month' },
      { flags: '--keep-yearly <n>', description: 'the newest of each year' },
      { flags: '--keep-within <span>', description: 'all that are younger: 36h, 30d, 8w' },
      { flags: '--keep-tagged', description: 'tagged versions; alone it makes all untagged ones go but the newest' },
      grace,
    ],
    examples: [
      ['imprint image prune web --keep-last 3 --keep-weekly 8 --dry-run', 'what would stay, and why'],
      ['imprint image prune --all --keep-within 30d --yes', 'from a timer'],
    ],
    load: () => import('./commands/image-prune.ts'),
  },
];

export const storeCommands: readonly CommandDefinition[] = [
  {
    name: 'store check',
    group: 'Store',
    summary: 'check every byte of the store, and name what is damaged',
    description:
      'Each defect is named with the versions that it touches. A damaged pack is marked, and the next capture stores its content anew. ' +
      '--repair takes what is lost from what damaged files still hold and from other places, each checked byte by byte.',
    options: [
      { flags: '--repair', description: 'put right what can be put right' },
      {
        flags: '--from <place>',
        description:
          'with --repair: another store (directory or URL), or a directory that holds what a version holds; repeatable',
        repeat: true,
      },
    ],
    examples: [
      ['imprint store check', 'exit status 5 where anything is wrong'],
      ['imprint store check --repair --from /mnt/copy --from /srv/web', 'a copy of the store, and a checkout'],
    ],
    load: () => import('./commands/store-check.ts'),
  },
  {
    name: 'store gc',
    group: 'Store',
    summary: 'free what no version and no reader needs any longer',
    description:
      'Safe at any time: it is refused while a capture runs, and whoever reads a version keeps what it needs. Packs that only little is needed of are rewritten.',
    options: [grace],
    examples: [
      ['imprint store gc --dry-run', 'how many bytes would be free'],
      ['imprint store gc', 'from a timer, or after imprint image prune'],
    ],
    load: () => import('./commands/store-gc.ts'),
  },
  {
    name: 'store stat',
    group: 'Store',
    summary: 'say what the store holds, takes, and what each version adds',
    examples: [['imprint store stat', 'images, versions, packs, bytes']],
    load: () => import('./commands/store-stat.ts'),
  },
];
