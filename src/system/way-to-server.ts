import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ImagerNetwork } from '../machine/imager-entry.ts';
import type { Processes } from './run.ts';

const routesSchema = z.array(z.looseObject({ dev: z.string(), gateway: z.string().optional(), prefsrc: z.string() }));
const linksSchema = z.array(
  z.looseObject({
    address: z.string().optional(),
    addr_info: z.array(
      z.looseObject({ local: z.string(), prefixlen: z.number(), valid_life_time: z.number().optional() }),
    ),
  }),
);
/** What `ip` says of an address that no DHCP server lends. */
const forEver = 2 ** 32 - 1;
const timeout = 20_000;

/**
 * How this machine reaches a server: its card, and where its address is its own for ever (no DHCP server lends it), that, too. Undefined where `ip` does not say, or the way
 * is none over a card: a bridge, a bond, a VLAN. `cards` is another directory in tests. Never rejects.
 */
export async function wayToServer(
  processes: Processes,
  server: string,
  cards = '/sys/class/net',
): Promise<ImagerNetwork | undefined> {
  try {
    const { address } = await lookup(new URL(server).hostname.replace(/^\[|\]$/g, ''), { family: 4 });
    if (address.startsWith('127.')) return undefined;
    const ip = async (...words: string[]) =>
      JSON.parse((await processes.run('ip', ['-json', ...words], { timeout })).stdout) as unknown;
    const [route] = routesSchema.parse(await ip('route', 'get', address));
    if (route === undefined) return undefined;
    // What is no card has no hardware behind it, and is not there in the imager.
    await readFile(`${cards}/${route.dev}/device/uevent`);
    const [link] = linksSchema.parse(await ip('addr', 'show', 'dev', route.dev));
    const own = link?.addr_info.find(({ local }) => local === route.prefsrc);
    if (link?.address === undefined || own === undefined) return undefined;
    if (own.valid_life_time !== forEver) return { mac: link.address };
    const { local, prefixlen } = own;
    const gateway = route.gateway === undefined ? {} : { gateway: route.gateway };
    return { mac: link.address, fixed: { address: local, prefix: prefixlen, ...gateway, dns: await nameServers() } };
  } catch {
    return undefined;
  }
}

async function nameServers(): Promise<string[]> {
  for (const path of ['/run/systemd/resolve/resolv.conf', '/etc/resolv.conf']) {
    const text = await readFile(path, 'utf8').catch(() => '');
    const found = [...text.matchAll(/^nameserver\s+([\d.]+)\s*$/gm)].map(([, address = '']) => address);
    const others = found.filter((address) => !address.startsWith('127.'));
    if (others.length > 0) return others;
  }
  return [];
}
