import { bootPaths } from './boot-script.ts';
import { tftpFiles } from './dnsmasq.ts';

/** DHCP servers that lines are written for. */
export type DhcpServerKind = 'isc' | 'kea' | 'dnsmasq';

export interface DhcpLineSettings {
  /** URL of our HTTP server as machines see it, without a slash at its end. */
  server: string;
  /** Address of the TFTP server with our files, dotted. */
  tftp: string;
  /** Machines with a fixed address. */
  hosts: readonly { mac: string; address: string; name: string }[];
}

/** Client architectures (RFC 4578; the IANA registry “Processor Architecture Types”), and what firmware of each is to load. */
const architectures = [
  { name: 'uefi', codes: [7, 9], http: false, file: tftpFiles.uefi },
  { name: 'uefi-http', codes: [16], http: true, file: tftpFiles.uefi },
  { name: 'arm64', codes: [11], http: false, file: tftpFiles.arm64 },
  { name: 'arm64-http', codes: [19], http: true, file: tftpFiles.arm64 },
] as const;

const say = [
  'Firmware gets iPXE, iPXE gets the script that asks Imprint what the machine is to do.',
  'The TFTP server must have the files of DATA/netboot/tftp (imprint media netboot makes them).',
  `arm64: put an iPXE for it there as ${tftpFiles.arm64}; imagers for it are not built yet.`,
];

/** Lines for somebody else's DHCP server, so that its machines start the imager: to be pasted. */
export function renderDhcpLines(kind: DhcpServerKind, settings: DhcpLineSettings): string {
  switch (kind) {
    case 'dnsmasq':
      return renderDnsmasq(settings);
    case 'isc':
      return renderIsc(settings);
    case 'kea':
      return renderKea(settings);
  }
}

/** dnsmasq(8). */
function renderDnsmasq({ server, tftp, hosts }: DhcpLineSettings): string {
  const others = architectures.map(({ name }) => `tag:!${name}`).join(',');
  return lines([
    '# Into a file of /etc/dnsmasq.d.',
    ...say.map((line) => `# ${line}`),
    'dhcp-match=set:ipxe,175',
    ...architectures.flatMap(({ name, codes }) =>
      codes.map((code) => `dhcp-match=set:${name},option:client-arch,${code}`),
    ),
    `dhcp-boot=tag:ipxe,${server}${bootPaths.chain}`,
    ...architectures.flatMap(({ name, http, file }) =>
      http
        ? [
            `dhcp-boot=tag:!ipxe,tag:${name},${server}/boot/${file}`,
            `dhcp-option-force=tag:!ipxe,tag:${name},60,HTTPClient`,
          ]
        : [`dhcp-boot=tag:!ipxe,tag:${name},${file},,${tftp}`],
    ),
    `dhcp-boot=tag:!ipxe,${others},${tftpFiles.bios},,${tftp}`,
    '# Firmware, iPXE, imager and system each name themselves otherwise, and shall all get one address.',
    'dhcp-ignore-clid',
    ...hosts.map(({ mac, address, name }) => `dhcp-host=${mac},${address},${name}`),
  ]);
}

/** dhcpd.conf(5), dhcp-eval(5). */
function renderIsc({ server, tftp, hosts }: DhcpLineSettings): string {
  const hex = (code: number) => `00:${code.toString(16).padStart(2, '0')}`;
  return lines([
    '# Into dhcpd.conf, outside of any subnet.',
    ...say.map((line) => `# ${line}`),
    'option imprint-architecture code 93 = unsigned integer 16;',
    'class "imprint-netboot" {',
    '  match if substring(option vendor-class-identifier, 0, 9) = "PXEClient"',
    '    or substring(option vendor-class-identifier, 0, 10) = "HTTPClient";',
    `  next-server ${tftp};`,
    '  if exists user-class and option user-class = "iPXE" {',
    `    filename "${server}${bootPaths.chain}";`,
    ...architectures.flatMap(({ codes, http, file }) => [
      `  } elsif ${codes.map((code) => `option imprint-architecture = ${hex(code)}`).join(' or ')} {`,
      ...(http ? ['    option vendor-class-identifier "HTTPClient";'] : []),
      `    filename "${http ? `${server}/boot/${file}` : file}";`,
    ]),
    '  } else {',
    `    filename "${tftpFiles.bios}";`,
    '  }',
    '}',
    ...hosts.map(
      ({ mac, address, name }) =>
        `host ${name} { hardware ethernet ${mac}; fixed-address ${address}; option host-name "${name}"; }`,
    ),
  ]);
}

/** Kea's administrator reference manual, “Client Classification”, “Host Reservations in DHCPv4”. One value of JSON with comments, as Kea takes it. */
function renderKea({ server, tftp, hosts }: DhcpLineSettings): string {
  const isIpxe = "substring(option[77].hex, 0, 4) == 'iPXE'";
  const hex = (code: number) => `0x${code.toString(16).padStart(4, '0')}`;
  const classes = [
    { name: 'imprint-ipxe', test: isIpxe, 'boot-file-name': `${server}${bootPaths.chain}` },
    ...architectures.map(({ name, codes, http, file }) => ({
      name: `imprint-${name}`,
      test: `not member('imprint-ipxe') and (${codes.map((code) => `option[93].hex == ${hex(code)}`).join(' or ')})`,
      ...(http
        ? {
            'boot-file-name': `${server}/boot/${file}`,
            'option-data': [{ name: 'vendor-class-identifier', data: 'HTTPClient' }],
          }
        : { 'next-server': tftp, 'boot-file-name': file }),
    })),
    {
      name: 'imprint-bios',
      test: "not member('imprint-ipxe') and option[93].hex == 0x0000",
      'next-server': tftp,
      'boot-file-name': tftpFiles.bios,
    },
  ];
  const reservations = hosts.map(({ mac, address, name }) => ({
    'hw-address': mac,
    'ip-address': address,
    hostname: name,
  }));
  const value = {
    Dhcp4: {
      'client-classes': classes,
      ...(hosts.length > 0 && { 'reservations-global': true, 'reservations-in-subnet': true, reservations }),
      // Firmware, iPXE, imager and system each name themselves otherwise, and shall all get one address.
      'match-client-id': false,
    },
  };
  return lines([
    '// What stands in Dhcp4 here belongs into Dhcp4 there; reservations may stand in their subnet as well.',
    ...say.map((line) => `// ${line}`),
    JSON.stringify(value, undefined, 2),
  ]);
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
