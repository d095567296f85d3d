import type { CommandDefinition } from './command.ts';

export const serverCommands: readonly CommandDefinition[] = [
  {
    name: 'serve',
    group: 'Server',
    summary: 'run the image server: API, status page, store, netboot',
    description:
      'The first start makes the keys and prints the admin token. DHCP is not started where another DHCP server answers, ' +
      'unless --proxy-dhcp or --allow-foreign-dhcp is given.',
    options: [
      { flags: '--listen <host:port>', description: 'where to listen (default: 0.0.0.0:4280)' },
      { flags: '--netboot <interface>', description: 'serve DHCP, TFTP and the imager on this interface' },
      {
        flags: '--proxy-dhcp',
        description: 'beside the DHCP server of the site: it gives addresses, we say where to boot',
      },
      { flags: '--dhcp-range <first,last>', description: 'addresses for machines that have none of their own' },
      { flags: '--allow-foreign-dhcp', description: 'also where another DHCP server answers' },
      { flags: '--url <url>', description: 'how machines reach this server, where that is not plain' },
    ],
    examples: [
      ['imprint serve', 'API and store only'],
      ['imprint serve --netboot eth1', 'and install machines on the network at eth1'],
    ],
    load: () => import('./commands/serve.ts'),
  },
  {
    name: 'media netboot',
    group: 'Server',
    summary: 'build the imager, which machines boot from the network',
    options: [
      { flags: '--suite <name>', description: 'Debian release that kernel and tools come from (default: bookworm)' },
      { flags: '--refresh', description: 'fetch the packages of today, even where an earlier build would do' },
      { flags: '--kernel-from <image>', description: 'kernel, drivers and firmware of this image, not of Debian' },
    ],
    examples: [
      ['imprint media netboot', 'once, and after an update of Imprint'],
      ['imprint media netboot --kernel-from web', 'for hardware that the golden machine’s kernel knows'],
    ],
    load: () => import('./commands/media-netboot.ts'),
  },
];
