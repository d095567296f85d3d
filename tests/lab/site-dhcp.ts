import { join } from 'node:path';
import type { LabNetwork } from './network.ts';

/**
 * The DHCP server that the golden machine's network had before Imprint came: gives each machine of `addresses` (MAC
 * address → IPv4 address) its own, and nothing to anyone else. Stop it before `imprint serve` begins to serve DHCP.
 */
export async function startSiteDhcp(
  network: LabNetwork,
  directory: string,
  addresses: Readonly<Record<string, string>>,
): Promise<AsyncDisposable> {
  const running = network.start('dnsmasq', [
    ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--no-ping', '--log-facility=-'],
    ...[`--interface=${network.bridge}`, '--bind-interfaces', '--dhcp-authoritative'],
    `--dhcp-leasefile=${join(directory, 'site.leases')}`,
    `--pid-file=${join(directory, 'site-dhcp.pid')}`,
    `--dhcp-range=${network.address},static,12h`,
    ...Object.entries(addresses).map(([mac, address]) => `--dhcp-host=${mac},${address}`),
  ]);
  running.stdout.resume();
  return { [Symbol.asyncDispose]: () => running.stop() };
}
