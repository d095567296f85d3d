import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLeases } from './dhcp-leases.ts';
import { renderDhcpLines } from './dhcp-lines.ts';

const settings = {
  server: 'http://10.9.0.1:4280',
  tftp: '10.9.0.1',
  hosts: [{ mac: '52:54:00:12:34:56', address: '10.9.0.21', name: 'web01' }],
};

describe('renderDhcpLines', () => {
  it('writes what dnsmasq reads', () => {
    expect(
      renderDhcpLines('dnsmasq', settings)
        .split('\n')
        .filter((line) => !line.startsWith('#')),
    ).toEqual([
      'dhcp-match=set:ipxe,175',
      'dhcp-match=set:uefi,option:client-arch,7',
      'dhcp-match=set:uefi,option:client-arch,9',
      'dhcp-match=set:uefi-http,option:client-arch,16',
      'dhcp-match=set:arm64,option:client-arch,11',
      'dhcp-match=set:arm64-http,option:client-arch,19',
      'dhcp-boot=tag:ipxe,http://10.9.0.1:4280/boot/boot.ipxe',
      'dhcp-boot=tag:!ipxe,tag:uefi,snponly.efi,,10.9.0.1',
      'dhcp-boot=tag:!ipxe,tag:uefi-http,http://10.9.0.1:4280/boot/snponly.efi',
      'dhcp-option-force=tag:!ipxe,tag:uefi-http,60,HTTPClient',
      'dhcp-boot=tag:!ipxe,tag:arm64,snponly-arm64.efi,,10.9.0.1',
      'dhcp-boot=tag:!ipxe,tag:arm64-http,http://10.9.0.1:4280/boot/snponly-arm64.efi',
      'dhcp-option-force=tag:!ipxe,tag:arm64-http,60,HTTPClient',
      'dhcp-boot=tag:!ipxe,tag:!uefi,tag:!uefi-http,tag:!arm64,tag:!arm64-http,undionly.kpxe,,10.9.0.1',
      'dhcp-ignore-clid',
      'dhcp-host=52:54:00:12:34:56,10.9.0.21,web01',
      '',
    ]);
  });

  it('writes what dhcpd reads', () => {
    const text = renderDhcpLines('isc', settings);
    expect(text).toContain(
      '  } elsif option imprint-architecture = 00:07 or option imprint-architecture = 00:09 {\n    filename "snponly.efi";',
    );
    expect(text).toContain(
      '  } elsif option imprint-architecture = 00:10 {\n    option vendor-class-identifier "HTTPClient";',
    );
    expect(text).toContain(
      'host web01 { hardware ethernet 52:54:00:12:34:56; fixed-address 10.9.0.21; option host-name "web01"; }',
    );
    expect(text.split('{').length).toBe(text.split('}').length);
  });

  it('writes what Kea reads: JSON with comments', () => {
    const value = JSON.parse(renderDhcpLines('kea', settings).replaceAll(/^\/\/.*$/gm, ''));
    expect(value.Dhcp4['client-classes'].map(({ name }: { name: string }) => name)).toEqual([
      ...['imprint-ipxe', 'imprint-uefi', 'imprint-uefi-http', 'imprint-arm64', 'imprint-arm64-http', 'imprint-bios'],
    ]);
    expect(value.Dhcp4['client-classes'][1].test).toBe(
      "not member('imprint-ipxe') and (option[93].hex == 0x0007 or option[93].hex == 0x0009)",
    );
    expect(value.Dhcp4.reservations).toEqual([
      { 'hw-address': '52:54:00:12:34:56', 'ip-address': '10.9.0.21', hostname: 'web01' },
    ]);
  });
});

describe('parseLeases', () => {
  const expected = [
    { mac: '52:54:00:00:00:01', address: '10.9.0.101', name: 'web01' },
    { mac: '52:54:00:00:00:02', address: '10.9.0.102' },
  ];

  it('reads those of dnsmasq', () => {
    const text = [
      '1767225600 52:54:00:00:00:02 10.9.0.102 * 01:52:54:00:00:00:02',
      '1767225600 52:54:00:00:00:01 10.9.0.101 web01 *',
      'duid 00:01:00:01:2a:2b:2c:2d',
      '1767225600 12345 fd09::5 web01 00:01',
    ].join('\n');
    expect(parseLeases(text)).toEqual(expected);
  });

  it('reads those of dhcpd, of which the last of a machine counts', () => {
    const text = `# The format of this file is documented in the dhcpd.leases(5) manual page.
authoring-byte-order little-endian;
lease 10.9.0.99 {
  starts 4 2026/01/01 00:00:00;
  binding state active;
  hardware ethernet 52:54:00:00:00:01;
}
lease 10.9.0.101 {
  starts 4 2026/01/01 01:00:00;
  binding state active;
  next binding state free;
  hardware ethernet 52:54:00:00:00:01;
  uid "\\001RT\\000";
  client-hostname "web01";
}
lease 10.9.0.102 {
  binding state active;
  hardware ethernet 52:54:00:00:00:02;
  client-hostname "not a name";
}
lease 10.9.0.103 {
  binding state free;
  hardware ethernet 52:54:00:00:00:03;
}
`;
    expect(parseLeases(text)).toEqual(expected);
  });

  it('reads those of Kea', () => {
    const text = [
      'address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id',
      '10.9.0.101,52:54:00:00:00:01,01:52,3600,1767225600,1,0,0,web01.,0,,0',
      '10.9.0.102,52:54:00:00:00:02,,3600,1767225600,1,0,0,,0,,0',
      '10.9.0.103,52:54:00:00:00:03,,3600,1767225600,1,0,0,,2,,0',
      '10.9.0.104,52:54:00:00:00:04,,3600,1767225600,1,0,0,old,0,,0',
      '10.9.0.104,52:54:00:00:00:04,,0,1767225600,1,0,0,old,0,,0',
    ].join('\n');
    expect(parseLeases(text)).toEqual(expected);
  });

  it('says where it is none of them', () => {
    expect(parseLeases('hello')).toBeUndefined();
    expect(parseLeases('\n')).toEqual([]);
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void parseLeases(text)));
  });
});
