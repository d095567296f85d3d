import { machineNameSchema } from '../contract/machine.ts';
import { parseMacAddress } from '../foundation/brand.ts';
import { ipv4ToNumber } from '../foundation/node-range.ts';

/** An address that a DHCP server handed out. */
export interface DhcpLease {
  mac: string;
  address: string;
  /** As the machine named itself; absent: it did not. */
  name?: string;
}

/**
 * The leases of a file of dnsmasq (`dnsmasq.leases`), ISC dhcpd (`dhcpd.leases`) or Kea (`kea-leases4.csv`), whichever it is; undefined where it is none of them. Of
 * several for one machine the last counts, as these files grow at their end; what was given back is left out. Sorted by address.
 */
export function parseLeases(text: string): DhcpLease[] | undefined {
  const parse = formats.find(({ fits }) => fits.test(text))?.parse;
  if (parse === undefined) return text.trim() === '' ? [] : undefined;
  const byMac = new Map<string, DhcpLease | undefined>();
  for (const { mac, address, name, ended } of parse(text)) {
    const known = parseMacAddress(mac.toLowerCase());
    if (known === undefined || ipv4ToNumber(address) === undefined) continue;
    byMac.set(known, ended ? undefined : { mac: known, address, ...(isName(name) && { name }) });
  }
  const number = ({ address }: DhcpLease) => ipv4ToNumber(address) ?? 0;
  return [...byMac.values()]
    .filter((lease) => lease !== undefined)
    .toSorted((left, right) => number(left) - number(right));
}

interface RawLease {
  mac: string;
  address: string;
  name: string | undefined;
  ended: boolean;
}

const formats: readonly { fits: RegExp; parse(text: string): RawLease[] }[] = [
  // https://kea.readthedocs.io, “memfile”: a line of titles.
  { fits: /^address,hwaddr,/m, parse: parseKea },
  // dhcpd.leases(5)
  { fits: /^lease\s+[\d.]+\s*\{/m, parse: parseIsc },
  // dnsmasq(8), --dhcp-leasefile: expiry, MAC, address, name or *, client id
  { fits: /^\d+ ([0-9a-f]{2}:){5}[0-9a-f]{2} \d/im, parse: parseDnsmasq },
];

function parseDnsmasq(text: string): RawLease[] {
  return text.split('\n').flatMap((line) => {
    const [expiry, mac, address, name] = line.trim().split(/\s+/);
    if (!/^\d+$/.test(expiry ?? '') || mac === undefined || address === undefined) return [];
    return [{ mac, address, name, ended: false }];
  });
}

function parseIsc(text: string): RawLease[] {
  return [...text.matchAll(/^lease\s+([\d.]+)\s*\{([^}]*)\}/gm)].flatMap(([, address = '', body = '']) => {
    const mac = /hardware\s+ethernet\s+([0-9a-f:]+)\s*;/i.exec(body)?.[1];
    if (mac === undefined) return [];
    const name = /client-hostname\s+"([^"]*)"\s*;/.exec(body)?.[1];
    const ended = /(^|\n)\s*binding\s+state\s+(free|abandoned|released|expired)\s*;/.test(body);
    return [{ mac, address, name, ended }];
  });
}

function parseKea(text: string): RawLease[] {
  const [titles = '', ...lines] = text.trim().split(/\r?\n/);
  const column = new Map(titles.split(',').map((title, index) => [title, index]));
  const at = (words: readonly string[], title: string) => words[column.get(title) ?? -1] ?? '';
  return lines.map((line) => {
    const words = line.split(',');
    // 0: assigned, 1: declined, 2: expired and reclaimed. A lifetime of 0 marks one that was removed.
    const ended = at(words, 'state') !== '0' || at(words, 'valid_lifetime') === '0';
    return {
      mac: at(words, 'hwaddr'),
      address: at(words, 'address'),
      name: at(words, 'hostname').replace(/\.$/, ''),
      ended,
    };
  });
}

function isName(name: string | undefined): name is string {
  return machineNameSchema.safeParse(name).success;
}
