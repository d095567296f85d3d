import { readFile } from 'node:fs/promises';
import { dhcpLinesInputSchema } from '../../contract/operations/dhcp.ts';
import { machineList } from '../../contract/operations/machines.ts';
import { serverStatus } from '../../contract/operations/server.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { type DhcpLease, parseLeases } from '../../netboot/dhcp-leases.ts';
import { makeDhcpLines } from '../../operations/dhcp-lines.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint dhcp dnsmasq|isc|kea`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const leases = invocation.text('leases');
  const tftp = invocation.text('tftp');
  const hosts = [
    ...(invocation.flag('machines') ? await machinesWithAddress(session) : []),
    ...(leases === undefined ? [] : await readLeases(leases)),
  ];
  // A machine that the server knows is what the server knows of it.
  const known = new Map(hosts.toReversed().map((host) => [host.mac, host]));
  const input = parseInput(dhcpLinesInputSchema, {
    kind: invocation.command.split(' ')[1] as 'isc',
    server: invocation.text('url') ?? (await serverUrl(session)),
    hosts: [...known.values()].reverse(),
    ...(tftp === undefined ? {} : { tftp }),
  });
  const output = makeDhcpLines(input);
  session.result(output, () => output.text);
}

async function serverUrl(session: Session): Promise<string> {
  const client = await session.findServer();
  if (client !== undefined) return (await client.call(serverStatus, {})).url;
  throw new ImprintError('usage', {
    problem: 'No image server runs here, so its address is not known.',
    hint: 'Name it, as machines reach it: --url http://10.0.0.1:4280',
  });
}

async function machinesWithAddress(session: Session): Promise<DhcpLease[]> {
  const { machines } = await callServer(session, machineList, {});
  return machines.flatMap(({ approved, macs, address, name }) =>
    approved && macs[0] !== undefined && address !== undefined ? [{ mac: macs[0], address, name }] : [],
  );
}

async function readLeases(path: string): Promise<DhcpLease[]> {
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    const problem = `${path} cannot be read: ${cause.message}`;
    throw new ImprintError('usage', { problem, hint: 'Name the file with the leases: --leases FILE' }, { cause });
  });
  const leases = parseLeases(text);
  if (leases !== undefined) return leases;
  throw new ImprintError('usage', {
    problem: `${path} holds no leases of dnsmasq, ISC dhcpd or Kea.`,
    hint: 'They lie in dnsmasq.leases, dhcpd.leases or kea-leases4.csv.',
  });
}
