import { ImprintError } from '../../foundation/errors.ts';
import type { Invocation } from '../command.ts';
import type { Session } from '../session.ts';

/** `imprint serve`: until it is told to end. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const { globals } = session;
  const netboot = invocation.text('netboot');
  const listen = invocation.text('listen');
  const url = invocation.text('url');
  const dhcpRange = invocation.text('dhcpRange');
  const proxyDhcp = invocation.flag('proxyDhcp');
  if (netboot === undefined && (proxyDhcp || dhcpRange !== undefined || invocation.flag('allowForeignDhcp'))) {
    const hint = 'Say on which one: --netboot eth1';
    throw new ImprintError('usage', { problem: 'DHCP is served on a named interface only.', hint });
  }
  if (globals.dryRun) {
    const where = netboot === undefined ? 'without netboot' : `with netboot on ${netboot}`;
    session.result(
      { dryRun: true, data: session.paths.data, listen, netboot },
      () => `would serve ${session.paths.data} ${where}\n`,
    );
    return;
  }
  await session.entries.serve({
    data: session.paths.data,
    ...(globals.store === undefined ? {} : { store: globals.store }),
    ...(globals.trust === undefined ? {} : { trust: globals.trust }),
    ...(listen === undefined ? {} : { listen }),
    ...(url === undefined ? {} : { url }),
    ...(netboot === undefined ? {} : { netboot }),
    ...(dhcpRange === undefined ? {} : { dhcpRange }),
    proxyDhcp,
    allowForeignDhcp: invocation.flag('allowForeignDhcp'),
    json: globals.json,
    quiet: globals.quiet,
    debug: globals.debug,
    signal: session.signal,
    announce: (line) => session.stdout.write(`${session.stdout.plain(line)}\n`),
  });
}
