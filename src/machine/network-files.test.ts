import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { chooseInterface } from './choose-interface.ts';
import { type FixedNetwork, networkFiles, predictableName, renderResolvConf } from './network-files.ts';

const network: FixedNetwork = {
  ...{ mac: '52:54:00:12:34:56', address: '10.0.0.5', prefix: 24, gateway: '10.0.0.1' },
  ...{ dns: ['10.0.0.1', '10.0.0.2'], domain: 'example.org' },
};
const bare: FixedNetwork = { mac: network.mac, address: '10.0.0.5', prefix: 24, dns: [] };
const text = (...[kind, of = network]: [Parameters<typeof networkFiles>[0], FixedNetwork?]) =>
  networkFiles(kind, of, 'enp1s0')
    .write.map(({ text: each }) => each.split('\n').slice(1).join('\n'))
    .join();

describe('networkFiles', () => {
  it('writes for systemd-networkd', () => {
    expect(text('networkd')).toBe(
      '[Match]\nMACAddress=52:54:00:12:34:56\n\n[Network]\nAddress=10.0.0.5/24\nGateway=10.0.0.1\nDNS=10.0.0.1\nDNS=10.0.0.2\nDomains=example.org\n',
    );
  });

  it('writes for NetworkManager, for root’s eyes only, as it wants it', () => {
    expect(text('networkmanager')).toContain(
      '[ipv4]\nmethod=manual\naddress1=10.0.0.5/24,10.0.0.1\ndns=10.0.0.1;10.0.0.2;\ndns-search=example.org;\n',
    );
    expect(networkFiles('networkmanager', network, 'x').write[0]?.mode).toBe(0o600);
  });

  it('writes for netplan', () => {
    expect(parse(text('netplan'))).toEqual({
      network: {
        version: 2,
        ethernets: {
          imprint: {
            match: { macaddress: '52:54:00:12:34:56' },
            addresses: ['10.0.0.5/24'],
            routes: [{ to: 'default', via: '10.0.0.1' }],
            nameservers: { addresses: ['10.0.0.1', '10.0.0.2'], search: ['example.org'] },
          },
        },
      },
    });
    expect(parse(text('netplan', bare)).network.ethernets.imprint).toEqual({
      match: { macaddress: '52:54:00:12:34:56' },
      addresses: ['10.0.0.5/24'],
    });
  });

  it('writes for ifupdown, in place of what the golden machine had', () => {
    expect(text('ifupdown', bare)).toBe(
      'auto lo\niface lo inet loopback\n\nauto enp1s0\niface enp1s0 inet static\n  address 10.0.0.5/24\n',
    );
    expect(networkFiles('ifupdown', bare, 'x').aside).toEqual(['etc/network/interfaces', 'etc/network/interfaces.d/*']);
  });

  it('names those who look up names', () => {
    expect(renderResolvConf(network).split('\n').slice(1)).toEqual([
      'search example.org',
      'nameserver 10.0.0.1',
      'nameserver 10.0.0.2',
      '',
    ]);
  });
});

it('knows what systemd will call a card', () => {
  const said =
    'ID_NET_NAMING_SCHEME=v252\nID_NET_NAME_MAC=enx525400123456\nID_NET_NAME_PATH=enp1s0\nID_NET_NAME_SLOT=ens3\n';
  expect(predictableName(said)).toBe('ens3');
  expect(predictableName('ID_NET_NAME_PATH=enp1s0\n')).toBe('enp1s0');
  expect(predictableName('ID_NET_NAME_MAC=enx525400123456\n')).toBeUndefined();
});

describe('chooseInterface', () => {
  const card = (name: string, last: number, carrier?: boolean) => ({
    ...{ name, mac: `52:54:00:00:00:0${last}` },
    ...(carrier !== undefined && { carrier }),
  });
  const [one, two, three] = [card('eth0', 1), card('eth1', 2, true), card('eth2', 3, true)];
  it.each([
    ['the only one', [one], {}, 'eth0'],
    ['the one with a cable', [one, two], {}, 'eth1'],
    ['the one that is named', [two, three], { device: 'eth2' }, 'eth2'],
    ['the one whose MAC stands there', [one, two, three], { mac: one.mac }, 'eth0'],
  ])('takes %s', (_, interfaces, wish, expected) => {
    const answer = chooseInterface(interfaces, wish);
    expect(answer.kind === 'interface' && answer.name).toBe(expected);
  });

  it.each([
    ['none', [], {}, 'this machine has no network card'],
    ['none of that name', [one], { device: 'eno1' }, 'no card here is eno1; there are eth0 (52:54:00:00:00:01)'],
    [
      'two',
      [two, three],
      {},
      'which card is the address for? there are eth1 (52:54:00:00:00:02, with a cable), eth2 (52:54:00:00:00:03, with a cable). Say it with MAC=52:54:00:00:00:02',
    ],
  ])('says where there is %s', (_, interfaces, wish, expected) => {
    const answer = chooseInterface(interfaces, wish);
    expect(answer.kind === 'problem' && answer.problem).toBe(expected);
  });
});
