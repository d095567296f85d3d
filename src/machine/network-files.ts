/** Who brings the network of a system up, of those that a fixed address can be written for. */
export type NetworkManagerKind = 'netplan' | 'networkmanager' | 'networkd' | 'ifupdown';

/** A fixed address of a machine. */
export interface FixedNetwork {
  mac: string;
  /** IPv4, dotted. */
  address: string;
  prefix: number;
  gateway?: string | undefined;
  dns: readonly string[];
  domain?: string | undefined;
}

/** The same for a system that is installed. */
export interface InstalledNetwork extends FixedNetwork {
  /** What the imager calls the card: `eth0`. */
  interface: string;
  /** Whether the installed system's kernel is told to keep such names (`net.ifnames=0`). */
  kernelNames: boolean;
}

/** What is written, and what of the golden machine's is laid aside (patterns; each gets `.golden` behind its name). */
export interface NetworkFiles {
  write: { path: string; text: string; mode: number }[];
  aside: string[];
}

/**
 * The files that give a system its address. Cards are known by their MAC address; ifupdown alone knows only names, so it must be told what the system will call the card.
 * Sources: systemd.network(5), nm-settings-keyfile(5), netplan(5), interfaces(5).
 */
export function networkFiles(kind: NetworkManagerKind, network: FixedNetwork, name: string): NetworkFiles {
  return renderers[kind](network, name);
}

const head = '# Written by Imprint when this machine was installed: its own address.';

const renderers: Readonly<Record<NetworkManagerKind, (network: FixedNetwork, name: string) => NetworkFiles>> = {
  networkd: ({ mac, address, prefix, gateway, dns, domain }) => ({
    // The first file that fits counts.
    write: file('etc/systemd/network/00-imprint.network', [
      ...[head, '[Match]', `MACAddress=${mac}`, '', '[Network]', `Address=${address}/${prefix}`],
      ...(gateway === undefined ? [] : [`Gateway=${gateway}`]),
      ...dns.map((each) => `DNS=${each}`),
      ...(domain === undefined ? [] : [`Domains=${domain}`]),
    ]),
    aside: [],
  }),
  networkmanager: ({ mac, address, prefix, gateway, dns, domain }) => ({
    write: file(
      'etc/NetworkManager/system-connections/imprint.nmconnection',
      [
        ...[head, '[connection]', 'id=imprint', 'type=ethernet', 'autoconnect-priority=100', ''],
        ...['[ethernet]', `mac-address=${mac}`, '', '[ipv4]', 'method=manual'],
        `address1=${address}/${prefix}${gateway === undefined ? '' : `,${gateway}`}`,
        ...(dns.length === 0 ? [] : [`dns=${dns.map((each) => `${each};`).join('')}`]),
        ...(domain === undefined ? [] : [`dns-search=${domain};`]),
        ...['', '[ipv6]', 'method=auto'],
      ],
      0o600,
    ),
    aside: [],
  }),
  netplan: ({ mac, address, prefix, gateway, dns, domain }) => ({
    write: file(
      'etc/netplan/01-imprint.yaml',
      [
        ...[
          head,
          'network:',
          '  version: 2',
          '  ethernets:',
          '    imprint:',
          '      match:',
          `        macaddress: "${mac}"`,
        ],
        `      addresses: ["${address}/${prefix}"]`,
        ...(gateway === undefined ? [] : ['      routes:', '        - to: default', `          via: ${gateway}`]),
        ...(dns.length === 0 && domain === undefined
          ? []
          : [
              '      nameservers:',
              ...(dns.length === 0 ? [] : [`        addresses: [${dns.join(', ')}]`]),
              ...(domain === undefined ? [] : [`        search: ["${domain}"]`]),
            ]),
      ],
      0o600,
    ),
    // A card that two of them name would get what both say.
    aside: ['etc/netplan/*.yaml'],
  }),
  ifupdown: ({ address, prefix, gateway, dns, domain }, name) => ({
    write: file('etc/network/interfaces', [
      ...[head, 'auto lo', 'iface lo inet loopback', '', `auto ${name}`, `iface ${name} inet static`],
      `  address ${address}/${prefix}`,
      ...(gateway === undefined ? [] : [`  gateway ${gateway}`]),
      ...(dns.length === 0 ? [] : [`  dns-nameservers ${dns.join(' ')}`]),
      ...(domain === undefined ? [] : [`  dns-search ${domain}`]),
    ]),
    aside: ['etc/network/interfaces', 'etc/network/interfaces.d/*'],
  }),
};

/** `/etc/resolv.conf`, for systems where nobody else writes it. */
export function renderResolvConf({ dns, domain }: Pick<FixedNetwork, 'dns' | 'domain'>): string {
  return [
    head,
    ...(domain === undefined ? [] : [`search ${domain}`]),
    ...dns.map((each) => `nameserver ${each}`),
    '',
  ].join('\n');
}

/** The name that systemd's udev gives a card, from what its `net_id` says of it; undefined where it says nothing. */
export function predictableName(text: string): string | undefined {
  // The order of Debian's 99-default.link: keep kernel database onboard slot path.
  for (const policy of ['ONBOARD', 'SLOT', 'PATH']) {
    const name = new RegExp(`^ID_NET_NAME_${policy}=([\\w.-]{1,15})$`, 'm').exec(text)?.[1];
    if (name !== undefined) return name;
  }
  return undefined;
}

function file(path: string, lines: readonly string[], mode = 0o644): NetworkFiles['write'] {
  return [{ path, text: lines.map((line) => `${line}\n`).join(''), mode }];
}
