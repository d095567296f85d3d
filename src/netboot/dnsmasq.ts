import { ipv4ToNumber, numberToIpv4 } from '../foundation/node-range.ts';
import type { MachineRecord } from '../machine/machine-state.ts';

/** The one interface that netboot is served on. */
export interface NetbootInterface {
  name: string;
  /** Our address on it, and its netmask, dotted. */
  address: string;
  netmask: string;
}

export interface DnsmasqSettings {
  interface: NetbootInterface;
  /** `dhcp`: we hand out addresses. `proxy`: the site's DHCP server does; we only add where to boot from. */
  mode: 'dhcp' | 'proxy';
  /** First and last address for machines without one of their own (`dhcp` only). */
  range: { first: string; last: string };
  /** Whether ours is the only DHCP server of the network: it then tells machines that their old leases are void. */
  authoritative: boolean;
  /** URL of our HTTP server as machines see it, without a slash at its end. */
  server: string;
  /** The user that it runs as once it has its sockets; absent: it stays who it is. */
  user?: string;
  files: { tftpRoot: string; leases: string; pid: string; dhcpHosts: string };
}

/** File names below the TFTP root. The one for arm64 is there only where somebody put it. */
export const tftpFiles = {
  bios: 'undionly.kpxe',
  uefi: 'snponly.efi',
  arm64: 'snponly-arm64.efi',
  script: 'boot.ipxe',
} as const;

/**
 * The configuration of dnsmasq: DHCP or proxyDHCP, and TFTP, on one interface; no DNS. A machine's firmware gets iPXE,
 * iPXE gets the script that asks our server. Source: dnsmasq(8); client architectures: RFC 4578 and the IANA registry
 * (0 BIOS, 7 and 9 x86-64 UEFI, 16 x86-64 UEFI over HTTP).
 */
export function renderDnsmasqConfiguration(settings: DnsmasqSettings): string {
  const { interface: network, files } = settings;
  const lines = [
    '# Written by imprint serve at each start; changes made here are lost.',
    `interface=${network.name}`,
    'except-interface=lo',
    'bind-interfaces',
    'port=0',
    'no-resolv',
    'no-hosts',
    ...(settings.user === undefined ? [] : [`user=${settings.user}`]),
    `pid-file=${files.pid}`,
    'log-facility=-',
    'enable-tftp',
    `tftp-root=${files.tftpRoot}`,
    'tftp-no-fail',
    // Also where it hands out nothing: it would open the leases of the machine's own dnsmasq, and not start without.
    `dhcp-leasefile=${files.leases}`,
    'dhcp-match=set:ipxe,175',
    ...(settings.mode === 'dhcp' ? dhcpLines(settings) : proxyLines(settings)),
  ];
  return `${lines.join('\n')}\n`;
}

/** One line for each machine that has a name and MAC addresses: the form of `dhcp-hostsfile`. */
export function renderDhcpHosts(machines: readonly MachineRecord[]): string {
  return machines
    .filter(({ approved, macs }) => approved && macs.length > 0)
    .map(({ macs, address, name }) => `${[...macs, ...(address === undefined ? [] : [address]), shortName(name)]}\n`)
    .join('');
}

/** The machines with addresses in the form of `/etc/hosts`, for whoever wants to know them by name. */
export function renderHosts(machines: readonly MachineRecord[]): string {
  return machines
    .flatMap(({ approved, address, name }) => (approved && address !== undefined ? [{ address, name }] : []))
    .toSorted((left, right) => (ipv4ToNumber(left.address) ?? 0) - (ipv4ToNumber(right.address) ?? 0))
    .map(({ address, name }) => `${address}\t${name}${name.includes('.') ? ` ${shortName(name)}` : ''}\n`)
    .join('');
}

/**
 * The addresses for machines without one of their own where nobody said which: the upper half of the network, without its
 * broadcast address and ours. Undefined where the network has no room.
 */
export function usualRange({ address, netmask }: NetbootInterface): { first: string; last: string } | undefined {
  const own = ipv4ToNumber(address);
  const mask = ipv4ToNumber(netmask);
  if (own === undefined || mask === undefined) return undefined;
  const size = 2 ** 32 - mask;
  if (size < 8) return undefined;
  const network = own - (own % size);
  let first = network + size / 2;
  let last = network + size - 2;
  if (own >= first && own <= last) {
    if (own - first > last - own) last = own - 1;
    else first = own + 1;
  }
  return { first: numberToIpv4(first), last: numberToIpv4(last) };
}

/** The range that a person wrote (`10.0.0.100,10.0.0.199`); a text that says what is wrong with it. */
export function readRange(text: string, network: NetbootInterface): { first: string; last: string } | string {
  const [first = '', last = '', ...more] = text.split(',').map((part) => part.trim());
  const from = ipv4ToNumber(first);
  const to = ipv4ToNumber(last);
  const own = ipv4ToNumber(network.address) ?? 0;
  const size = 2 ** 32 - (ipv4ToNumber(network.netmask) ?? 0);
  if (from === undefined || to === undefined || more.length > 0) return `“${text}” is not FIRST,LAST`;
  if (from > to) return 'its first address comes after its last';
  const base = own - (own % size);
  if (from <= base || to >= base + size - 1) {
    return `it is not within the network of ${network.name} (${network.address}, netmask ${network.netmask})`;
  }
  return { first, last };
}

function dhcpLines({ interface: network, range, files, authoritative, server }: DnsmasqSettings): string[] {
  return [
    `dhcp-range=${range.first},${range.last},${network.netmask},1h`,
    `dhcp-hostsfile=${files.dhcpHosts}`,
    ...(authoritative ? ['dhcp-authoritative'] : []),
    // Firmware, iPXE, imager and system each send a client id of their own, and shall all get the machine's one address.
    'dhcp-ignore-clid',
    'dhcp-match=set:efi64,option:client-arch,7',
    'dhcp-match=set:efi64,option:client-arch,9',
    'dhcp-match=set:http64,option:client-arch,16',
    `dhcp-boot=tag:ipxe,${tftpFiles.script}`,
    `dhcp-boot=tag:!ipxe,tag:efi64,${tftpFiles.uefi}`,
    `dhcp-boot=tag:!ipxe,tag:http64,${server}/boot/${tftpFiles.uefi}`,
    'dhcp-option-force=tag:!ipxe,tag:http64,60,HTTPClient',
    `dhcp-boot=tag:!ipxe,tag:!efi64,tag:!http64,${tftpFiles.bios}`,
  ];
}

function proxyLines({ interface: network }: DnsmasqSettings): string[] {
  const own = ipv4ToNumber(network.address) ?? 0;
  const size = 2 ** 32 - (ipv4ToNumber(network.netmask) ?? 0);
  const services = [
    ['x86PC', tftpFiles.bios],
    ['X86-64_EFI', tftpFiles.uefi],
    ['BC_EFI', tftpFiles.uefi],
  ] as const;
  return [
    `dhcp-range=${numberToIpv4(own - (own % size))},proxy,${network.netmask}`,
    ...services.map(([kind]) => `pxe-service=tag:ipxe,${kind},"Imprint",${tftpFiles.script}`),
    ...services.map(([kind, file]) => `pxe-service=tag:!ipxe,${kind},"Imprint",${file}`),
  ];
}

/** dnsmasq takes a name with a domain only where the domain is its own. */
function shortName(name: string): string {
  return name.split('.')[0] ?? name;
}
