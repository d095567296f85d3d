import type { DhcpLinesInput, DhcpLinesOutput } from '../contract/operations/dhcp.ts';
import { ImprintError } from '../foundation/errors.ts';
import { ipv4ToNumber } from '../foundation/node-range.ts';
import { renderDhcpLines } from '../netboot/dhcp-lines.ts';

/**
 * `imprint dhcp`. Machines that gave no name are called by their address. Errors: `input-invalid` where two machines would have one address or name, or where nobody
 * knows the address of the TFTP server.
 */
export function makeDhcpLines({ kind, server, tftp, hosts }: DhcpLinesInput): DhcpLinesOutput {
  const { hostname } = new URL(server);
  const address = tftp ?? (ipv4ToNumber(hostname) === undefined ? undefined : hostname);
  if (address === undefined) {
    const problem = `firmware wants the address of the TFTP server, and ${hostname} is a name`;
    throw new ImprintError('input-invalid', { field: 'tftp', problem });
  }
  const named = hosts.map(({ mac, address: own, name }) => ({
    mac,
    address: own,
    name: name ?? `node-${own.replaceAll('.', '-')}`,
  }));
  for (const field of ['address', 'name'] as const) {
    const twice = named.find((host, index) => named.findIndex((other) => other[field] === host[field]) !== index);
    if (twice === undefined) continue;
    const macs = named.filter((host) => host[field] === twice[field]).map(({ mac }) => mac);
    throw new ImprintError('input-invalid', {
      field: 'leases',
      problem: `${macs.join(' and ')} have one ${field}, ${twice[field]}`,
    });
  }
  return { kind, text: renderDhcpLines(kind, { server, tftp: address, hosts: named }), hosts: named };
}
