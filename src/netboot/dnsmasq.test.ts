import { describe, expect, test } from 'vitest';
import type { MachineRecord } from '../machine/machine-state.ts';
import {
  type DnsmasqSettings,
  readRange,
  renderDhcpHosts,
  renderDnsmasqConfiguration,
  renderHosts,
  usualRange,
} from './dnsmasq.ts';

const network = { name: 'br0', address: '10.9.0.1', netmask: '255.255.255.0' };
const settings: DnsmasqSettings = {
  interface: network,
  mode: 'dhcp',
  range: { first: '10.9.0.128', last: '10.9.0.254' },
  authoritative: true,
  server: 'http://10.9.0.1:4280',
  user: 'dnsmasq',
  files: { tftpRoot: '/d/tftp', leases: '/d/leases', pid: '/d/pid', dhcpHosts: '/d/hosts' },
};
const linesOf = (given: Partial<DnsmasqSettings>) => renderDnsmasqConfiguration({ ...settings, ...given }).split('\n');

describe('the configuration of dnsmasq', () => {
  test('serves one interface and no DNS', () => {
    const lines = linesOf({});
    expect(lines).toEqual(
      expect.arrayContaining(['interface=br0', 'except-interface=lo', 'bind-interfaces', 'port=0']),
    );
    expect(lines.filter((line) => line.startsWith('interface='))).toHaveLength(1);
  });

  test('hands out addresses, and by architecture what to boot', () => {
    expect(linesOf({})).toEqual(
      expect.arrayContaining([
        'dhcp-range=10.9.0.128,10.9.0.254,255.255.255.0,1h',
        'dhcp-authoritative',
        'dhcp-boot=tag:ipxe,boot.ipxe',
        'dhcp-boot=tag:!ipxe,tag:efi64,snponly.efi',
        'dhcp-boot=tag:!ipxe,tag:http64,http://10.9.0.1:4280/boot/snponly.efi',
        'dhcp-boot=tag:!ipxe,tag:!efi64,tag:!http64,undionly.kpxe',
      ]),
    );
    expect(linesOf({ authoritative: false })).not.toContain('dhcp-authoritative');
  });

  test('beside another DHCP server hands out no address', () => {
    const lines = linesOf({ mode: 'proxy' });
    expect(lines).toContain('dhcp-range=10.9.0.0,proxy,255.255.255.0');
    expect(lines).toContain('dhcp-leasefile=/d/leases');
    expect(lines.filter((line) => line.startsWith('dhcp-range='))).toHaveLength(1);
    expect(lines).toContain('pxe-service=tag:!ipxe,x86PC,"Imprint",undionly.kpxe');
    expect(lines).toContain('pxe-service=tag:ipxe,X86-64_EFI,"Imprint",boot.ipxe');
  });
});

test.each([
  ['10.9.0.1', '255.255.255.0', { first: '10.9.0.128', last: '10.9.0.254' }],
  ['10.9.0.254', '255.255.255.0', { first: '10.9.0.128', last: '10.9.0.253' }],
  ['10.9.0.128', '255.255.255.0', { first: '10.9.0.129', last: '10.9.0.254' }],
  ['172.16.5.5', '255.255.0.0', { first: '172.16.128.0', last: '172.16.255.254' }],
  ['192.168.1.9', '255.255.255.248', { first: '192.168.1.12', last: '192.168.1.14' }],
  ['192.168.1.9', '255.255.255.252', undefined],
])('the usual range of %s/%s', (address, netmask, range) => {
  expect(usualRange({ name: 'x', address, netmask })).toEqual(range);
});

test.each([
  ['10.9.0.50,10.9.0.60', { first: '10.9.0.50', last: '10.9.0.60' }],
  ['10.9.0.60,10.9.0.50', 'its first address comes after its last'],
  ['10.9.0.50', '“10.9.0.50” is not FIRST,LAST'],
  ['10.9.0.50,10.9.1.60', expect.stringContaining('not within')],
  ['10.9.0.0,10.9.0.60', expect.stringContaining('not within')],
  ['10.9.0.50,10.9.0.255', expect.stringContaining('not within')],
])('the range %s', (text, expected) => {
  expect(readRange(text, network)).toEqual(expected);
});

test('hosts are the machines that have a name', () => {
  const base: MachineRecord = { name: 'web02', approved: true, state: 'registered', macs: [], options: {}, created: 0 };
  const machines: MachineRecord[] = [
    { ...base, macs: ['52:54:00:00:00:02', '52:54:00:00:00:03'], address: '10.9.0.12' },
    { ...base, name: 'web01.example.org', macs: ['52:54:00:00:00:01'], address: '10.9.0.2' },
    { ...base, name: 'no-address', macs: ['52:54:00:00:00:04'] },
    { ...base, name: 'no-mac', address: '10.9.0.13' },
    { ...base, name: 'mac-1', approved: false, macs: ['52:54:00:00:00:05'], address: '10.9.0.14' },
  ];
  expect(renderDhcpHosts(machines)).toBe(
    '52:54:00:00:00:02,52:54:00:00:00:03,10.9.0.12,web02\n52:54:00:00:00:01,10.9.0.2,web01\n52:54:00:00:00:04,no-address\n',
  );
  expect(renderHosts(machines)).toBe('10.9.0.2\tweb01.example.org web01\n10.9.0.12\tweb02\n10.9.0.13\tno-mac\n');
});
