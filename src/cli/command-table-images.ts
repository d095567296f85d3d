import type { ArgumentDefinition, CommandDefinition, OptionDefinition } from './command.ts';

const reference: ArgumentDefinition = {
  name: 'REF',
  description: 'an image (its newest version), IMAGE:NUMBER, IMAGE:TAG, or IMAGE@sha256:…',
};

/** Of every source. */
const captureOptions: readonly OptionDefinition[] = [
  { flags: '-n, --name <image>', description: 'the image that gets the new version', required: true },
  { flags: '-t, --tag <tag>', description: 'a tag for the new version; it moves if the image has it already' },
  { flags: '-m, --message <text>', description: 'what this version is about' },
  { flags: '--expires <when>', description: 'until when it is good: 90d, 1y, a date, or never (default)' },
  { flags: '--floor <number>', description: 'withdraw all versions of the image below this one' },
  {
    flags: '-x, --exclude <glob>',
    description: 'leave out what matches (!GLOB takes back); repeatable',
    repeat: true,
  },
  { flags: '--no-default-excludes', description: 'also package caches, /tmp, swap files and the like' },
  { flags: '--keep-secrets', description: 'also SSH host keys, machine-id, seeds and credentials' },
];

export const imageCommands: readonly CommandDefinition[] = [
  {
    name: 'capture',
    group: 'Images',
    summary: 'make a new version from a machine, directory or archive',
    description:
      'The machine keeps running; it needs nothing but sshd, a shell, find and GNU tar. Host keys, machine-id and other ' +
      'secrets of the machine are left out and listed. Only what changed since the last version is read again.',
    arguments: [
      {
        name: 'SOURCE',
        description:
          'ssh://[user@]host[:port][/directory], a directory, a tar (- is stdin), oci:DIR, oci-archive:FILE, a disk image',
      },
    ],
    options: [
      ...captureOptions,
      { flags: '--one-file-system', description: 'nothing mounted below the source' },
      { flags: '--paranoid', description: 'read every file again, also those that look unchanged' },
      { flags: '--no-snapshot', description: 'read live, also where a snapshot could be made' },
      { flags: '--no-scripts', description: 'do not run the pre- and post-capture scripts there' },
      { flags: '-i, --identity <file>', description: 'private key for ssh' },
      { flags: '--door <token>', description: 'come through the one-time door of imprint prepare' },
      { flags: '-o, --ssh-option <option>', description: 'an option as for ssh -o; repeatable', repeat: true },
    ],
    examples: [
      ['imprint capture ssh://root@golden.example --name web', 'capture a machine while it runs'],
      ['imprint capture /srv/roots/web --name web --tag tested', 'capture a directory'],
      ['imprint capture oci-archive:web.oci.tar --name web', 'take over what a container engine saved'],
    ],
    load: () => import('./commands/capture.ts'),
  },
  {
    name: 'prepare',
    group: 'Images',
    summary: 'look at this golden machine and open a one-time door to it',
    description:
      'Run as root on the machine that is to be captured. Says what can be read as it is at one moment and what cannot, and ' +
      'prints the command that captures it: the door lets in one connection, once, and closes by itself.',
    options: [
      { flags: '--port <port>', description: 'TCP port of the door (default: 4222)' },
      { flags: '--minutes <minutes>', description: 'how long the door waits (default: 60)' },
      { flags: '--address <host>', description: 'how the capturing side reaches this machine' },
      { flags: '--no-door', description: 'look and record only' },
      { flags: '--no-record', description: 'do not write /etc/imprint/golden.json' },
    ],
    examples: [
      ['imprint prepare', 'and type what it prints on the image server'],
      ['imprint prepare --dry-run', 'only what can be captured, and how'],
    ],
    load: () => import('./commands/prepare.ts'),
  },
  {
    name: 'images',
    group: 'Images',
    summary: 'list images and their versions',
    arguments: [{ name: 'IMAGE', description: 'only this image, with all its versions', optional: true }],
    options: [{ flags: '-a, --all', description: 'all versions of every image, not the newest alone' }],
    examples: [
      ['imprint images', 'what there is'],
      ['imprint images web', 'all versions of one image'],
    ],
    load: () => import('./commands/images.ts'),
  },
  {
    name: 'image show',
    group: 'Images',
    summary: 'show one version: its source, content and signature',
    arguments: [reference],
    examples: [['imprint image show web:3', 'all that is known of version 3']],
    load: () => import('./commands/image-show.ts'),
  },
  {
    name: 'image log',
    group: 'Images',
    summary: 'tell the history of an image, newest version first',
    arguments: [{ name: 'IMAGE', description: 'the image' }],
    examples: [['imprint image log web', 'when, from where, and why']],
    load: () => import('./commands/image-log.ts'),
  },
  {
    name: 'image ls',
    group: 'Images',
    summary: 'list what is in a version',
    arguments: [reference, { name: 'PATH', description: 'a directory or file in it', optional: true }],
    options: [
      { flags: '-l, --long', description: 'with mode, owner, size and time, as ls -l does' },
      { flags: '-R, --recursive', description: 'all that lies below' },
      { flags: '-d, --directory', description: 'a directory itself, not what is in it' },
    ],
    examples: [
      ['imprint image ls -l web:3 /etc', 'a directory, as ls -l shows it'],
      ['imprint image ls -R --json web', 'every entry with all attributes, one JSON value a line'],
    ],
    load: () => import('./commands/image-ls.ts'),
  },
  {
    name: 'image cat',
    group: 'Images',
    summary: 'write the content of a file to stdout, byte for byte',
    arguments: [reference, { name: 'PATH', description: 'a file in it' }],
    examples: [['imprint image cat web:3 /etc/fstab', 'read one file without checking out']],
    load: () => import('./commands/image-cat.ts'),
  },
  {
    name: 'image diff',
    group: 'Images',
    summary: 'compare two versions: packages, then paths by attribute',
    description:
      'With one version, it is compared with the one before it. Paths that belong to a package which changed are counted ' +
      'with it, and listed with --all. dpkg, rpm, apk and pacman are known.',
    arguments: [
      { ...reference, name: 'FROM' },
      { name: 'TO', description: 'the version to compare with', optional: true },
    ],
    options: [
      { flags: '-p, --path <path>', description: 'only this path and what lies below' },
      { flags: '-a, --all', description: 'also the paths of packages that changed' },
      { flags: '--times', description: 'also paths whose modification time alone differs' },
    ],
    examples: [
      ['imprint image diff web', 'what the newest version brought'],
      ['imprint image diff web:1 web:4 --path /etc', 'what became of the configuration'],
    ],
    load: () => import('./commands/image-diff.ts'),
  },
  {
    name: 'image blame',
    group: 'Images',
    summary: 'tell which version a path, or each of its lines, is from',
    arguments: [reference, { name: 'PATH', description: 'a path in it' }],
    examples: [['imprint image blame web /etc/ssh/sshd_config', 'since when is that line there?']],
    load: () => import('./commands/image-blame.ts'),
  },
  {
    name: 'image verify',
    group: 'Images',
    summary: 'check a version, or compare it with a directory',
    description:
      'Without a directory, all content of the version is read and checked. With one, every path is compared, attribute ' +
      'by attribute and byte by byte. Any difference or damage is named, and the exit status is 5.',
    arguments: [reference, { name: 'DIRECTORY', description: 'compare with this tree', optional: true }],
    examples: [
      ['imprint image verify web:3', 'is the version whole?'],
      ['imprint image verify web:3 /mnt', 'is /mnt exactly that version?'],
    ],
    load: () => import('./commands/image-verify.ts'),
  },
  {
    name: 'image bundle',
    group: 'Images',
    summary: 'make the file that leads machines from a version to another',
    description:
      'Machines that have the first version and want the second fetch this one file, much smaller than the new content. ' +
      'The image server makes it when the first machine asks; this makes it ahead. Works for any two versions.',
    arguments: [
      { name: 'FROM', description: 'the version that machines have' },
      { name: 'TO', description: 'the version that they are to get' },
    ],
    examples: [['imprint image bundle web:3 web:4', 'before web:4 goes out']],
    load: () => import('./commands/image-bundle.ts'),
  },
  {
    name: 'image live',
    group: 'Images',
    summary: 'make the xfs or btrfs from which machines start uninstalled',
    description:
      'Machines that start before they are installed read an ext4 that is computed from the version. An xfs or btrfs is made ' +
      'here, once, and kept in the store as IMAGE.live-xfs; it goes with the version. Signed as a capture is. As root.',
    arguments: [reference],
    options: [
      { flags: '-f, --file-system <name>', description: 'xfs or btrfs', required: true },
      { flags: '--size <size>', description: 'of the file system; default: the least that the version needs' },
    ],
    examples: [['imprint image live web:3 --file-system xfs', 'before machines start web:3 on xfs']],
    load: () => import('./commands/image-live.ts'),
  },
  {
    name: 'image checkout',
    group: 'Images',
    summary: 'write a version into a directory that is empty or new',
    description:
      'Every chunk is checked before it is written. Where anything is damaged, nothing is left in the directory.',
    arguments: [reference, { name: 'DIRECTORY', description: 'empty, or not there yet' }],
    examples: [['imprint image checkout web:3 /srv/roots/web', 'the whole tree with every attribute (as root)']],
    load: () => import('./commands/image-checkout.ts'),
  },
  {
    name: 'image export',
    group: 'Images',
    summary: 'write a version as a tar, OCI image or disk image',
    description:
      'The same version gives the same bytes, always. The target appears when it is whole. What each format keeps, and how ' +
      'other programs read it, is in docs/import-export.md.',
    arguments: [
      reference,
      { name: 'TARGET', description: 'a file, oci:DIRECTORY, or - for a tar on stdout; its name may say the format' },
    ],
    options: [
      { flags: '-f, --format <format>', description: 'tar, oci-archive, oci, raw or qcow2' },
      { flags: '-c, --compress <how>', description: 'none, gzip or zstd; default: by the name, else none (OCI: gzip)' },
      { flags: '--size <size>', description: 'disk images: of the whole disk; default: its content and some room' },
      { flags: '--kernel-options <text>', description: 'disk images: beside those of the version' },
      { flags: '--force', description: 'replace the file or OCI layout that is there' },
    ],
    examples: [
      ['imprint image export web:3 web.qcow2 --size 20G', 'a disk that boots on BIOS and UEFI (as root)'],
      ['imprint image export web:3 web.tar.zst', 'a compressed tar with every attribute'],
      ['imprint image export web:3 oci-archive:web.oci.tar', 'for podman load, docker load, skopeo'],
      ['imprint image export web:3 -', 'a tar for the next program in a pipe'],
    ],
    load: () => import('./commands/image-export.ts'),
  },
  {
    name: 'image import',
    group: 'Images',
    summary: 'make a new version from an archive or a disk image',
    description:
      'The same as imprint capture, which also knows machines and directories. What a file is, is told by what is in it: a tar ' +
      '(gzip, bzip2, xz, zstd, lz4, or plain) or a disk image; OCI images are named oci:DIR[:REF] or oci-archive:FILE[:REF].',
    arguments: [{ name: 'SOURCE', description: 'a tar (- is stdin), oci:DIR, oci-archive:FILE, or a disk image' }],
    options: captureOptions,
    examples: [
      ['imprint image import root.tar.xz --name web', 'a root file system in a tar'],
      ['imprint image import oci-archive:web.tar:web:3 --name web', 'one image of several in an archive'],
    ],
    load: () => import('./commands/capture.ts'),
  },
  {
    name: 'image mount',
    group: 'Images',
    summary: 'mount a version as a read-only file system',
    description:
      'Nothing is checked out: content is fetched when it is read, from a directory or over HTTP, and every chunk is ' +
      'checked. Owners, modes, times, extended attributes, hard links and holes are all there. umount ends it.',
    arguments: [reference, { name: 'DIRECTORY', description: 'where; it is made if it is missing' }],
    options: [{ flags: '-f, --foreground', description: 'serve it in this process until it is unmounted' }],
    examples: [
      ['imprint image mount web:3 /mnt', 'look around, copy, compare; then: umount /mnt'],
      ['imprint image mount web /mnt --store http://images.example:4280/store', 'from far away'],
    ],
    load: () => import('./commands/image-mount.ts'),
  },
  {
    name: 'image tag',
    group: 'Images',
    summary: 'give a version a tag, move a tag, or take it away',
    arguments: [reference, { name: 'TAG', description: 'a word that is not a number' }],
    options: [{ flags: '-d, --delete', description: 'take the tag away' }],
    examples: [['imprint image tag web:3 stable', 'web:stable is version 3 from now on']],
    load: () => import('./commands/image-tag.ts'),
  },
  {
    name: 'image sign',
    group: 'Images',
    summary: 'sign a version with the key of this server, or with others',
    description:
      'Without options, the release keys in DATA/keys sign. Signatures that others made stay: where several are asked for ' +
      '(imprint trust show), each signs where the key is. minisign -S signs a record as well.',
    arguments: [reference],
    options: [
      { flags: '--key <file>', description: 'a private key to sign with; repeatable', repeat: true },
      { flags: '--signature <file>', description: 'signatures that were made elsewhere; repeatable', repeat: true },
    ],
    examples: [['imprint image sign web:3', 'so that machines that carry the key may install it']],
    load: () => import('./commands/image-sign.ts'),
  },
  {
    name: 'image rm',
    group: 'Images',
    summary: 'remove versions; an image goes with its last one',
    description: 'A version that a machine has, is to have, or that carries a tag, is not removed without --force.',
    arguments: [{ ...reference, name: 'REF', variadic: true }],
    options: [
      {
        flags: '-f, --force',
        description: 'also where it is in use or tagged, or (IMAGE:NUMBER) its record is damaged',
      },
    ],
    examples: [['imprint image rm web:1 web:2', 'after asking']],
    load: () => import('./commands/image-rm.ts'),
  },
];
