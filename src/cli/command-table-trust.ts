import type { CommandDefinition } from './command.ts';

export const trustCommands: readonly CommandDefinition[] = [
  {
    name: 'trust show',
    group: 'Trust',
    summary: 'show whose signatures are trusted here, and what was seen',
    examples: [['imprint trust show', 'keys by role, thresholds, expiry, floors']],
    load: () => import('./commands/trust-show.ts'),
  },
  {
    name: 'trust key',
    group: 'Trust',
    summary: 'make a key to sign with: PATH.key and PATH.pub',
    description: 'Keys of minisign do as well. A key may sign nothing before a trust document names it.',
    arguments: [{ name: 'PATH', description: 'where the two files are put; DATA/keys/NAME signs by itself' }],
    examples: [['imprint trust key /media/usb/root-anna', 'a root key that stays away from the server']],
    load: () => import('./commands/trust-key.ts'),
  },
  {
    name: 'trust change',
    group: 'Trust',
    summary: 'change the keys that are trusted: the next trust document',
    description:
      'Root keys sign trust documents, release keys sign versions. The next document must be signed by as many root keys as the ' +
      'one before asks for, and as many of its own. Keys that are here sign at once; until the others have, it waits (trust sign).',
    options: [
      { flags: '--add-root <pub>', description: 'a public key file, or its line; repeatable', repeat: true },
      { flags: '--remove-root <id>', description: 'the id of a key; repeatable', repeat: true },
      { flags: '--root-threshold <n>', description: 'how many root keys must sign' },
      { flags: '--add-release <pub>', description: 'a public key file, or its line; repeatable', repeat: true },
      { flags: '--remove-release <id>', description: 'the id of a key; repeatable', repeat: true },
      { flags: '--release-threshold <n>', description: 'how many release keys must sign a version' },
      { flags: '--expires <when>', description: '90d, 1y, a date, or never; absent: as long as the one before' },
      { flags: '--key <file>', description: 'a private key to sign with; repeatable', repeat: true },
    ],
    examples: [
      ['imprint trust change --expires 1y', 'the first document, of the server’s key alone'],
      [
        'imprint trust change --add-root anna.pub --add-root ben.pub --remove-root 61A254A1DF31FE21 --root-threshold 2',
        'two people of whom both must sign, instead of the server',
      ],
    ],
    load: () => import('./commands/trust-change.ts'),
  },
  {
    name: 'trust sign',
    group: 'Trust',
    summary: 'sign the trust document that waits; published when complete',
    description:
      'Without FILE, the document that waits in DATA/trust. With it, a copy of that document where a root key is: its signature is ' +
      'put into FILE.minisig, to be carried back. minisign -S signs it as well.',
    arguments: [{ name: 'FILE', description: 'a copy of the document', optional: true }],
    options: [
      { flags: '--key <file>', description: 'a private key to sign with; repeatable', repeat: true },
      { flags: '--signature <file>', description: 'signatures that were made elsewhere; repeatable', repeat: true },
    ],
    examples: [
      ['imprint trust sign next.json --key /media/usb/root-anna.key', 'where the key is'],
      ['imprint trust sign --signature next.json.minisig', 'on the server'],
    ],
    load: () => import('./commands/trust-sign.ts'),
  },
  {
    name: 'trust pin',
    group: 'Trust',
    summary: 'trust whom a trust document or public key names',
    description: 'From then on nothing is read from a store that these keys, or those that follow them, did not sign.',
    arguments: [{ name: 'FILE', description: 'a trust document, or a public key file' }],
    examples: [['imprint trust pin server.pub', 'the key of the server whose images this machine reads']],
    load: () => import('./commands/trust-pin.ts'),
  },
  {
    name: 'image renew',
    group: 'Trust',
    summary: 'make an earlier version the next one: new expiry or floor',
    description:
      'The content is the same; only a new record is made and signed. The floor withdraws all versions with a smaller number, ' +
      'everywhere the new record has been seen.',
    arguments: [{ name: 'REF', description: 'the version whose content is meant' }],
    options: [
      { flags: '--expires <when>', description: '90d, 1y, a date, or never (default)' },
      { flags: '--floor <number>', description: 'withdraw all versions below this one' },
      { flags: '-t, --tag <tag>', description: 'a tag for the new version' },
      { flags: '-m, --message <text>', description: 'why' },
    ],
    examples: [
      ['imprint image renew web:5 --floor 5', 'nobody shall go back before version 5'],
      ['imprint image renew web:3', 'go back: the next version is as version 3 was'],
    ],
    load: () => import('./commands/image-renew.ts'),
  },
];
