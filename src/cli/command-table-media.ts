import type { CommandDefinition } from './command.ts';

const keyArgument = {
  name: 'KEY',
  description: 'the key: a disk that can be pulled out (/dev/sdb), or the image of one',
};

const liveFileSystem = {
  flags: '--fs <type>',
  description: 'root of the live system: ext4 (default), xfs, btrfs (imprint image live)',
};

const imagerOptions = [
  { flags: '--image <ref>', description: 'carry this version whole; repeatable', repeat: true },
  { flags: '--live', description: 'start the first of them as a live system, with its own kernel' },
  liveFileSystem,
  { flags: '--local-cfg <file>', description: 'settings for the install: VARIABLE=value lines' },
  { flags: '--url <url>', description: 'the image server, as machines reach it' },
  { flags: '--kernel-options <options>', description: 'for the kernel of the imager, beside its own' },
  { flags: '--force', description: 'replace a file that is there' },
];
const dhcpOptions = [
  { flags: '--url <url>', description: 'the image server, as machines reach it (default: the one that runs here)' },
  { flags: '--tftp <address>', description: 'the TFTP server (default: the address in the URL)' },
  {
    flags: '--leases <file>',
    description: 'fixed addresses for all that have one now: leases of dnsmasq, dhcpd or Kea',
  },
  { flags: '--machines', description: 'fixed addresses for the machines that the server knows with one' },
];
const dhcpDescription =
  'Prints them and changes nothing. Firmware of every kind (BIOS, UEFI, UEFI HTTP Boot, arm64) gets iPXE, and that asks the image server. With imprint serve ' +
  '--netboot nothing of this is needed; beside a DHCP server that must not be touched, --proxy-dhcp does without.';

/** Ways for machines to start. */
export const mediaCommands: readonly CommandDefinition[] = [
  {
    name: 'dhcp dnsmasq',
    group: 'Media',
    summary: 'lines for a dnsmasq that is not ours',
    description: dhcpDescription,
    options: dhcpOptions,
    examples: [['imprint dhcp dnsmasq --url http://10.0.0.1:4280', 'into a file of /etc/dnsmasq.d']],
    load: () => import('./commands/dhcp.ts'),
  },
  {
    name: 'dhcp isc',
    group: 'Media',
    summary: 'lines for the DHCP server of ISC',
    description: dhcpDescription,
    options: dhcpOptions,
    examples: [
      ['imprint dhcp isc --leases /var/lib/dhcp/dhcpd.leases', 'and every machine keeps the address that it has now'],
    ],
    load: () => import('./commands/dhcp.ts'),
  },
  {
    name: 'dhcp kea',
    group: 'Media',
    summary: 'lines for Kea',
    description: dhcpDescription,
    options: dhcpOptions,
    examples: [['imprint dhcp kea --url http://10.0.0.1:4280 --machines', 'with the machines that the server knows']],
    load: () => import('./commands/dhcp.ts'),
  },
  {
    name: 'media usb',
    group: 'Media',
    summary: 'make a USB medium that starts the imager on any machine',
    description:
      'One image for BIOS and UEFI, also with Secure Boot where the packages shim-signed and grub-efi-amd64-signed are installed here. ' +
      'It is made from the imager of imprint media netboot, without root. local.cfg on it says what a machine is to become; it can be edited ' +
      'on any computer. With --image nothing else is needed for an install: no network, no server. With --live that version also runs from the medium, or from memory, ' +
      'and needs no disk.',
    arguments: [{ name: 'TARGET', description: 'the file to write, or a disk that can be pulled out (/dev/sdb)' }],
    options: imagerOptions,
    examples: [
      ['imprint media usb stick.img --url http://10.0.0.1:4280', 'asks that server what to do'],
      ['imprint media usb stick.img --image web --local-cfg web01.cfg', 'needs no network at all'],
      ['imprint media usb stick.img --image web --live', 'runs web from the stick; installs it, too'],
    ],
    load: () => import('./commands/media-usb.ts'),
  },
  {
    name: 'media iso',
    group: 'Media',
    summary: 'make the same as an ISO file',
    description:
      'For virtual machines, optical drives and the virtual drives of management controllers; copied onto a stick, it starts from there, too. What stands in local.cfg is ' +
      'fixed when it is made, but a FAT or ext partition with the label IMPRINT-CFG may have another.',
    arguments: [{ name: 'TARGET', description: 'the file to write' }],
    options: imagerOptions,
    examples: [
      ['imprint media iso imprint.iso --url http://10.0.0.1:4280', 'asks that server what to do'],
      ['imprint media iso web.iso --image web --local-cfg web01.cfg', 'needs no network at all'],
    ],
    load: () => import('./commands/media-iso.ts'),
  },
  {
    name: 'media frugal',
    group: 'Media',
    summary: 'keep a live system as files on a partition',
    description:
      'As root, where the image store is. Into a directory of a partition (ext4, xfs, btrfs, FAT) that otherwise stays as it is go the version, a kernel, and with --changes a file for what the ' +
      'system writes: the next start finds it there. The GRUB of this machine gets an entry for it, unless the disk can be pulled out; on machines that Imprint installed imprint boot menu does that.',
    arguments: [{ name: 'TARGET', description: 'a directory of a mounted partition, or a partition (/dev/sda3)' }],
    options: [
      { flags: '--image <ref>', description: 'the version that is to run' },
      liveFileSystem,
      { flags: '--changes <size>', description: 'keep so much of what it writes (default: nothing)' },
      { flags: '--kernel-options <options>', description: 'for its kernel, beside those of the version' },
      { flags: '--entry <where>', description: 'grub (default), or none' },
      { flags: '--force', description: 'replace one that is there, with all that it kept' },
      { flags: '--remove', description: 'take it away again, with all that it kept' },
    ],
    examples: [
      ['imprint media frugal /dev/sda3 --image web --changes 8G', 'web as files, and room for what it writes'],
      ['imprint media frugal /srv --remove', 'the partition is as before'],
    ],
    load: () => import('./commands/media-frugal.ts'),
  },
  {
    name: 'media disk',
    group: 'Media',
    summary: 'start the imager from this machine’s own disk, once',
    description:
      'As root, on the machine that is to be installed anew. The imager comes from the server, verified; where Imprint installed the machine it becomes an entry of the boot partition, ' +
      'elsewhere one of the GRUB that is there (as grub-reboot does it), for exactly one boot. The server’s order counts as ever (imprint install MACHINE): nobody need be there, and no ' +
      'netboot. Without an order in time, or when it fails, the next boot is the machine as it was.',
    options: [
      { flags: '--url <url>', description: 'the image server (default: the one of /etc/imprint/agent.yaml)' },
      { flags: '--key <file>', description: 'its public key (default: /etc/imprint/server.pub)' },
      { flags: '--patience <minutes>', description: 'without an order by then it restarts as it was (default: 15)' },
      { flags: '--reboot <method>', description: 'none (default: the next restart starts it), full, kexec' },
      { flags: '--cancel', description: 'take it back' },
    ],
    examples: [
      ['imprint media disk', 'then, on the server: imprint install web01 --yes'],
      ['imprint media disk --reboot full', 'and restart at once'],
      ['imprint media disk --url http://10.0.0.1:4280 --key server.pub', 'where Imprint did not install'],
      ['imprint media disk --cancel', 'the next restart is one like any other'],
    ],
    load: () => import('./commands/media-disk.ts'),
  },
  {
    name: 'key create',
    group: 'Media',
    summary: 'make a key that starts ISO files, and our imager',
    description:
      'Boots on BIOS and UEFI, its menu also under Secure Boot. ISO files lie on its partition “isos” (ext4), as they are: key add puts them there, or ' +
      'anybody copies them by hand. A disk is asked for and taken whole; nothing but one that can be pulled out is. An image goes onto sticks with dd, and ' +
      'key grow then lets it use all of each.',
    arguments: [{ name: 'TARGET', description: 'the file to write, or a disk that can be pulled out (/dev/sdb)' }],
    options: [
      { flags: '--size <size>', description: 'of an image (default: 1G)' },
      { flags: '--persistence <size>', description: 'room for what live systems keep' },
      { flags: '--url <url>', description: 'the image server, for our imager on the key' },
      { flags: '--no-imager', description: 'leave our imager out' },
      { flags: '--force', description: 'replace a file that is there' },
    ],
    examples: [
      ['imprint key create /dev/sdb --persistence 4G', 'a key of the stick at /dev/sdb'],
      ['imprint key create key.img', 'an image for many sticks'],
    ],
    load: () => import('./commands/key-create.ts'),
  },
  {
    name: 'key add',
    group: 'Media',
    summary: 'put ISO files onto a key, verified',
    description:
      'Each is known by what is in it, and refused with the reason where it would not start from a file. Checksums beside it (SHA256SUMS, NAME.iso.sha256, …) are held ' +
      'against it; with --key the list, or the ISO, must be signed by that key. What was written is read back.',
    arguments: [keyArgument, { name: 'ISO', description: 'the files', variadic: true }],
    options: [
      {
        flags: '--key <file>',
        description: 'who may have signed: a public key of minisign or GnuPG; repeatable',
        repeat: true,
      },
      { flags: '--force', description: 'also what does not start, and in place of one of the same name' },
    ],
    examples: [
      ['imprint key add /dev/sdb debian-live-12.5.0-amd64-gnome.iso', 'verified by SHA256SUMS, if that lies beside it'],
      ['imprint key add key.img systemrescue.iso --key systemrescue.asc', 'and its signature'],
    ],
    load: () => import('./commands/key-add.ts'),
  },
  {
    name: 'key list',
    group: 'Media',
    summary: 'say what is on a key, and whether it is still whole',
    arguments: [keyArgument],
    options: [{ flags: '--verify', description: 'read every file, and compare its checksum' }],
    examples: [['imprint key list /dev/sdb --verify', 'before the long drive to the data centre']],
    load: () => import('./commands/key-list.ts'),
  },
  {
    name: 'key remove',
    group: 'Media',
    summary: 'take ISO files off a key',
    arguments: [keyArgument, { name: 'ISO', description: 'their names on the key', variadic: true }],
    examples: [['imprint key remove /dev/sdb ubuntu-22.04-desktop-amd64.iso', 'makes room']],
    load: () => import('./commands/key-remove.ts'),
  },
  {
    name: 'key test',
    group: 'Media',
    summary: 'start all that a key can start, in a virtual machine',
    description:
      'Chooses each in the menu of the key, on a BIOS and on UEFI, and says how far it came: by what it says on the serial line, and by a picture of its screen. ' +
      'The key is not written. Needs QEMU (and OVMF for UEFI), but no KVM: it is used where it works.',
    arguments: [keyArgument],
    options: [
      { flags: '--iso <name>', description: 'only this one, or imager for ours; repeatable', repeat: true },
      { flags: '--firmware <which>', description: 'bios, uefi or both (default: both)' },
      { flags: '--limit <seconds>', description: 'what each start may take (default: 300)' },
      { flags: '--output <directory>', description: 'where logs and pictures go (default: a new one in /tmp)' },
    ],
    examples: [
      ['imprint key test key.img', 'before the image goes onto twenty sticks'],
      ['imprint key test /dev/sdb --iso debian-live-12.5.0-amd64-gnome.iso --firmware uefi', 'one of them'],
    ],
    load: () => import('./commands/key-test.ts'),
  },
  {
    name: 'key grow',
    group: 'Media',
    summary: 'let the room for ISO files reach to the end of the key',
    description:
      'After an image of a key was copied onto a larger stick, or to make an image larger. What is on it stays.',
    arguments: [keyArgument],
    options: [{ flags: '--size <size>', description: 'make an image this large first' }],
    examples: [['imprint key grow /dev/sdb', 'after dd if=key.img of=/dev/sdb']],
    load: () => import('./commands/key-grow.ts'),
  },
];
