import { machineNameSchema } from '../contract/machine.ts';
import { groupsSchema } from '../contract/scripts.ts';
import { ipv4ToNumber } from '../foundation/node-range.ts';
import { parseDiskRule } from './disk-rule.ts';
import { readEraseKinds } from './layout-terms.ts';
import type { LocalSettings } from './local-config.ts';

/** One variable of `local.cfg`. */
export interface LocalVariable {
  /** For the template: what it is, and a value to show how it is written. */
  says: string;
  example: string;
  /** Puts the value into the settings, or says what is wrong with it. `all` are the values of the whole file. */
  apply(settings: LocalSettings, value: string, all: ReadonlyMap<string, string>): string | undefined;
}

const notName = 'it is no name of a machine (letters, digits, dots and hyphens)';
const notAddress = 'it is no IPv4 address';
/** As of the server's orders (`diskRuleSchema`). */
const longestRule = 500;
const isName = (value: string) => machineNameSchema.safeParse(value).success;

/** All variables, in the order of the template. Names are SystemImager's where it has one for the same thing. */
export const localVariables: Readonly<Record<string, LocalVariable>> = {
  HOSTNAME: {
    says: 'name of the machine',
    example: 'web01',
    apply: (settings, value) => (isName(value) ? keep(settings, { hostName: value.toLowerCase() }) : notName),
  },
  IPADDR: {
    says: 'its address, where there is no DHCP',
    example: '192.168.1.21',
    apply: applyAddress,
  },
  NETMASK: {
    says: 'of its network; or write IPADDR=192.168.1.21/24',
    example: '255.255.255.0',
    apply: (_, value) => (prefixOf(value) === undefined ? 'it is no netmask, like 255.255.255.0' : undefined),
  },
  GATEWAY: {
    says: 'way to other networks',
    example: '192.168.1.1',
    apply: (_, value) => (isIPv4(value) ? undefined : notAddress),
  },
  DNS: {
    says: 'who looks up names; several with blanks between, in quotation marks',
    example: '"192.168.1.1 192.168.1.2"',
    apply: (_, value) => (value.split(/[\s,]+/).every(isIPv4) ? undefined : 'these are no addresses'),
  },
  DOMAINNAME: {
    says: 'domain in which names are looked up',
    example: 'example.org',
    apply: (settings, value) => (isName(value) ? keep(settings, { domain: value.toLowerCase() }) : notName),
  },
  DEVICE: {
    says: 'interface to use, where the machine has several',
    example: 'eth0',
    apply: (settings, value) =>
      /^[\w.-]{1,15}$/.test(value) ? keep(settings, { device: value }) : 'it is no name of an interface',
  },
  MAC: {
    says: 'the same by its MAC address',
    example: '52:54:00:12:34:56',
    apply: (settings, value) => {
      const mac = value.toLowerCase().replaceAll('-', ':');
      return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) ? keep(settings, { mac }) : 'it is no MAC address';
    },
  },
  IMAGESERVER: {
    says: 'the image server',
    example: 'http://192.168.1.10:4280',
    apply: (settings, value) => {
      const url = serverUrl(value);
      return url === undefined ? 'it is no address of a server' : keep(settings, { server: url });
    },
  },
  IMAGENAME: {
    says: 'image to install: from this medium if it is on it, else from the server',
    example: 'web:3',
    apply: (settings, value) =>
      /^[a-z0-9][\w.@:+-]{0,299}$/i.test(value) ? keep(settings, { image: value }) : 'it is no name of an image',
  },
  INSTALL: {
    says: 'confirm: ask somebody at the machine first; unattended: write the disk without asking',
    example: 'confirm',
    apply: (settings, value) =>
      choose(value, ['confirm', 'unattended'], (chosen) => keep(settings, { install: chosen })),
  },
  DISK: {
    says: 'which disk; not needed where there is just one',
    example: 'serial=S5Y1NX0R',
    apply: applyDisk,
  },
  LAYOUT: {
    says: 'how the disk is used: single, slots, files, multi',
    example: 'slots',
    apply: (settings, value) =>
      choose(value, ['single', 'slots', 'files', 'multi'], (chosen) => keep(settings, { layout: chosen })),
  },
  SLOTS: {
    says: 'system partitions of LAYOUT=slots and LAYOUT=multi',
    example: '2',
    apply: (settings, value) =>
      /^[2-8]$/.test(value) ? keep(settings, { slots: Number(value) }) : 'it is no number from 2 to 8',
  },
  FS: {
    says: 'file system: ext4, xfs, btrfs',
    example: 'ext4',
    apply: (settings, value) =>
      choose(value, ['ext4', 'xfs', 'btrfs'], (chosen) => keep(settings, { fileSystem: chosen })),
  },
  SWAP: {
    says: 'size of swap',
    example: '2G',
    apply: (settings, value) => {
      const match = /^(\d{1,6})([MGT])$/i.exec(value);
      if (match === null) return value === '0' ? keep(settings, { swap: 0 }) : 'it is no size, like 2G';
      const unit = { M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }[(match[2] ?? 'M').toUpperCase()] ?? 1;
      return keep(settings, { swap: Number(match[1]) * unit });
    },
  },
  KERNEL_OPTIONS: {
    says: 'for the kernel of the installed system',
    example: '"console=ttyS1,115200"',
    apply: (settings, value) =>
      /[\x00-\x1f\x7f]/.test(value) ? 'it holds what is no text' : keep(settings, { kernelOptions: value }),
  },
  ERASE: {
    says: 'what INSTALL=unattended may erase beside Linux: windows, recovery, vendor, luks, raid, lvm, other, unknown, all',
    example: 'windows,recovery',
    apply: (settings, value) => {
      try {
        return keep(settings, { erase: readEraseKinds(value) });
      } catch (error) {
        return `it ${(error as Error).message}`;
      }
    },
  },
  BOOT_COPY: {
    says: 'none: keep no copy of what boots from the disk before it is written (medium: the usual)',
    example: 'none',
    apply: (settings, value) =>
      choose(value, ['medium', 'none'], (chosen) => keep(settings, chosen === 'none' ? { bootCopy: chosen } : {})),
  },
  GROUPNAMES: {
    says: 'groups whose scripts it gets; several with blanks between, in quotation marks',
    example: '"rack1 db"',
    apply: (settings, value) => {
      const groups = groupsSchema.safeParse(value.split(/[\s,]+/).filter((name) => name !== ''));
      return groups.success ? keep(settings, { groups: groups.data }) : 'these are no names of groups';
    },
  },
  AFTERWARDS: {
    says: 'remove: wait until this medium is pulled out, then restart (the usual); reboot; poweroff; wait',
    example: 'remove',
    apply: (settings, value) =>
      choose(value, ['remove', 'reboot', 'poweroff', 'wait'], (chosen) => keep(settings, { afterwards: chosen })),
  },
};

/** Variables of SystemImager for which there is nothing to do here: a remark, no error. */
export const passedOver: ReadonlySet<string> = new Set(
  (
    'NETWORK BROADCAST GATEWAYDEV HOSTID LOG_SERVER LOG_SERVER_PORT SSH_DOWNLOAD_URL SSH_USER SSHD MONITOR_SERVER MONITOR_PORT MONITOR_CONSOLE ' +
    'TMPFS_STAGING SKIP_LOCAL_CFG GROUP_OVERRIDES TORRENT_STAGING NO_LISTING ARCH FLAMETHROWER_DIRECTORY_PORTBASE'
  ).split(' '),
);

function keep(settings: LocalSettings, part: LocalSettings): undefined {
  Object.assign(settings, part);
  return undefined;
}

function isIPv4(text: string): boolean {
  return ipv4ToNumber(text) !== undefined;
}

function applyDisk(settings: LocalSettings, value: string): string | undefined {
  if (value.length > longestRule) return 'it is too long for a disk rule';
  try {
    parseDiskRule(value);
  } catch (problem) {
    if (!(problem instanceof RangeError)) throw problem;
    return problem.message;
  }
  return keep(settings, { disk: value });
}

function applyAddress(settings: LocalSettings, value: string, all: ReadonlyMap<string, string>): string | undefined {
  const [address = '', bits] = value.split('/');
  if (!isIPv4(address)) return notAddress;
  const mask = all.get('NETMASK') ?? '';
  const prefix = bits === undefined ? prefixOf(mask) : /^\d{1,2}$/.test(bits) ? Number(bits) : undefined;
  if (bits === undefined && mask === '')
    return 'it needs NETMASK, or the length of its network: IPADDR=192.168.1.21/24';
  // A netmask that is none is told of in its own line.
  if (prefix === undefined) return bits === undefined ? undefined : 'after / stands no number';
  if (prefix < 1 || prefix > 32) return 'a network has 1 to 32 bits';
  if (bits !== undefined && mask !== '' && prefixOf(mask) !== prefix) return `NETMASK=${mask} says something else`;
  const gateway = all.get('GATEWAY') ?? '';
  const dns = (all.get('DNS') ?? '').split(/[\s,]+/).filter(isIPv4);
  settings.network = { address, prefix, dns, ...(isIPv4(gateway) && { gateway }) };
  return undefined;
}

/** Length of a netmask's run of ones, undefined where it is none. */
function prefixOf(mask: string): number | undefined {
  if (!isIPv4(mask)) return undefined;
  const bits = mask.split('.').reduce((text, part) => text + Number(part).toString(2).padStart(8, '0'), '');
  return /^1+0*$/.test(bits) ? bits.lastIndexOf('1') + 1 : undefined;
}

/** `http://HOST:PORT` from a URL, or from a host's name or address as SystemImager had it. */
function serverUrl(value: string): string | undefined {
  if (/^https?:\/\//i.test(value)) {
    return URL.canParse(value) ? value.replace(/\/+$/, '') : undefined;
  }
  return /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/i.test(value)
    ? `http://${value.includes(':') ? value : `${value}:4280`}`
    : undefined;
}

function choose<Choice extends string>(
  value: string,
  choices: readonly Choice[],
  take: (chosen: Choice) => undefined,
): string | undefined {
  const chosen = choices.find((each) => each === value.toLowerCase());
  if (chosen === undefined) return `it must be ${choices.join(', ').replace(/, ([^,]*)$/, ' or $1')}`;
  return take(chosen);
}
