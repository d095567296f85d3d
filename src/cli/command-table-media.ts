import type { CommandDefinition } from './command.ts';

/** Ways for machines to start that need no netboot. */
export const mediaCommands: readonly CommandDefinition[] = [
  {
    name: 'media usb',
    group: 'Media',
    summary: 'make a USB medium that starts the imager on any machine',
    description:
      'One image for BIOS and UEFI, also with Secure Boot where the packages shim-signed and grub-efi-amd64-signed are installed here. ' +
      'It is made from the imager of imprint media netboot, without root. local.cfg on it says what a machine is to become; it can be edited ' +
      'on any computer. With --image nothing else is needed for an install: no network, no server.',
    arguments: [{ name: 'TARGET', description: 'the file to write' }],
    options: [
      { flags: '--image <ref>', description: 'carry this version whole; repeatable', repeat: true },
      { flags: '--local-cfg <file>', description: 'settings for the install: VARIABLE=value lines' },
      { flags: '--url <url>', description: 'the image server, as machines reach it' },
      { flags: '--kernel-options <options>', description: 'for the kernel of the imager, beside its own' },
      { flags: '--force', description: 'replace a file that is there' },
    ],
    examples: [
      ['imprint media usb stick.img --url http://10.0.0.1:4280', 'asks that server what to do'],
      ['imprint media usb stick.img --image web --local-cfg web01.cfg', 'needs no network at all'],
    ],
    load: () => import('./commands/media-usb.ts'),
  },
];
