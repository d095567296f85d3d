import { describe, expect, it } from 'vitest';
import { dhcpLinesInputSchema } from '../contract/operations/dhcp.ts';
import { makeDhcpLines } from './dhcp-lines.ts';

const make = (more: object) =>
  makeDhcpLines(dhcpLinesInputSchema.parse({ kind: 'dnsmasq', server: 'http://10.0.0.1:4280/', ...more }));
const mac = (number: number) => `52:54:00:00:00:0${number}`;

describe('makeDhcpLines', () => {
  it('takes the TFTP server from the URL, or as it is told', () => {
    expect(make({}).text).toContain('undionly.kpxe,,10.0.0.1');
    expect(make({ tftp: '10.0.0.2' }).text).toContain('undionly.kpxe,,10.0.0.2');
    expect(() => make({ server: 'http://images.example.org' })).toThrow(
      'firmware wants the address of the TFTP server',
    );
  });

  it('names machines that gave no name by their address', () => {
    expect(make({ hosts: [{ mac: mac(1), address: '10.0.0.21' }] }).hosts[0]?.name).toBe('node-10-0-0-21');
  });

  it('refuses what would confuse machines', () => {
    const one = { mac: mac(1), address: '10.0.0.21', name: 'web01' };
    expect(() => make({ hosts: [one, { ...one, mac: mac(2), address: '10.0.0.22' }] })).toThrow('have one name, web01');
    expect(() => make({ hosts: [{ ...one, name: 'web01\ndhcp-script=/bin/sh' }] })).toThrow('must match pattern');
    expect(() => make({ hosts: [one, { ...one, mac: mac(2), name: 'web02' }] })).toThrow('have one address, 10.0.0.21');
  });
});
