import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEmptySettings, type LocalAnswer, parseLocalConfig } from './local-config.ts';
import { renderLocalTemplate } from './local-template.ts';

const read = (text: string) => parseLocalConfig(Buffer.from(text));
const settings = (text: string) => {
  const answer = read(text);
  return answer.kind === 'settings' ? answer.settings : answer;
};
const problems = (answer: LocalAnswer) =>
  answer.kind === 'problems' ? answer.problems.map(({ line, problem }) => `${line}: ${problem}`) : [];

describe('parseLocalConfig', () => {
  it('reads what SystemImager wrote', () => {
    const text = `#
# "SystemImager" - Copyright
#
HOSTNAME=gemini1
DOMAINNAME=systemimager.org
DEVICE=eth0
IPADDR=10.0.0.2
NETMASK=255.255.255.0
NETWORK=10.0.0.0
BROADCAST=10.0.0.255
GATEWAY=10.0.0.1
GATEWAYDEV=eth0
IMAGESERVER=10.0.0.1
IMAGENAME=web_server_image_v1
`;
    const answer = read(text);
    expect(answer).toEqual({
      kind: 'settings',
      settings: {
        ...{ hostName: 'gemini1', domain: 'systemimager.org', device: 'eth0', server: 'http://10.0.0.1:4280' },
        ...{ image: 'web_server_image_v1', install: 'confirm' },
        network: { address: '10.0.0.2', prefix: 24, gateway: '10.0.0.1', dns: [] },
      },
      remarks: ['NETWORK', 'BROADCAST', 'GATEWAYDEV'].map((name, index) => ({
        line: [9, 10, 12][index],
        problem: `${name} means nothing to Imprint`,
      })),
    });
  });

  it('takes it from any editor', () => {
    expect(
      settings('\ufeffHOSTNAME = web01\r\nexport IPADDR="10.0.0.5/16"  # ours\rDNS=\'10.0.0.1, 10.0.0.2\'\r\n'),
    ).toEqual({
      hostName: 'web01',
      network: { address: '10.0.0.5', prefix: 16, dns: ['10.0.0.1', '10.0.0.2'] },
    });
  });

  it('takes what may be erased, however it is written', () => {
    expect(settings('ERASE="Windows, recovery"\n')).toEqual({ erase: 'windows,recovery' });
    expect(problems(read('ERASE=everything\n'))[0]).toMatch(/^1: ERASE=everything: it must be of all, linux, raid,/);
  });

  it('takes groups, as SystemImager writes them', () => {
    expect(settings('GROUPNAMES="rack1 db"\n')).toEqual({ groups: ['rack1', 'db'] });
    expect(problems(read('GROUPNAMES="../etc"\n'))).toEqual(['1: GROUPNAMES=../etc: these are no names of groups']);
  });

  it('takes an empty value for one that was not filled in', () => {
    expect(settings('HOSTNAME=\nGATEWAY=\n')).toEqual({});
  });

  it.each([
    ['HOSTNAME=web01\nIPADR=10.0.0.5\n', '2: there is no variable IPADR; did you mean IPADDR?'],
    ['DISK=smallest,largest\n', '1: DISK=smallest,largest: “smallest,largest” says both smallest and largest'],
    ['WALLPAPER=blue', '1: there is no variable WALLPAPER'],
    ['HOSTNAME web01', '1: this is no line of the form VARIABLE=value'],
    ['HOSTNAME=web 01', '1: a value with blanks must be in quotation marks'],
    ['HOSTNAME="web01', '1: the quotation mark is not closed, or something follows it'],
    ['HOSTNAME=$(rm -rf /)', '1: a value with blanks must be in quotation marks'],
    ['HOSTNAME=`reboot`', '1: this file is read, not executed: $, `, \\ and the like have no meaning here'],
    ['HOSTNAME="$HOME"', '1: this file is read, not executed: $, `, \\ and the like have no meaning here'],
    ['HOSTNAME=a\n\nHOSTNAME=b', '3: HOSTNAME stands in line 1 already'],
    ['HOSTNAME=web_01', '1: HOSTNAME=web_01: it is no name of a machine (letters, digits, dots and hyphens)'],
    ['IPADDR=10.0.0.256/24', '1: IPADDR=10.0.0.256/24: it is no IPv4 address'],
    ['IPADDR=10.0.0.5', '1: IPADDR=10.0.0.5: it needs NETMASK, or the length of its network: IPADDR=192.168.1.21/24'],
    ['IPADDR=10.0.0.5\nNETMASK=255.0.255.0', '2: NETMASK=255.0.255.0: it is no netmask, like 255.255.255.0'],
    ['IPADDR=10.0.0.5/24\nNETMASK=255.255.0.0', '1: IPADDR=10.0.0.5/24: NETMASK=255.255.0.0 says something else'],
    [
      'IPADDR=10.0.0.5/24\nGATEWAY=10.0.1.1',
      '2: 10.0.1.1 is not in the network of 10.0.0.5/24: nothing could be sent through it',
    ],
    ['GATEWAY=10.0.1.1', '1: GATEWAY means nothing without IPADDR'],
    ['IMAGENAME=web', '1: IMAGENAME needs HOSTNAME: what is the machine called?'],
    ['INSTALL=unattended', '1: INSTALL needs IMAGENAME: what is to be installed?'],
    ['INSTALL=yes', '1: INSTALL=yes: it must be confirm or unattended'],
    ['SWAP=much', '1: SWAP=much: it is no size, like 2G'],
    ['IMAGESERVER=http://:', '1: IMAGESERVER=http://:: it is no address of a server'],
  ])('says what is wrong with %j', (text, expected) => {
    expect(problems(read(text))).toEqual([expected]);
  });

  it('refuses what is no text', () => {
    expect(problems(parseLocalConfig(Buffer.from([0x48, 0xff, 0x00])))).toEqual([
      '0: it is no text file (UTF-8), or far too long',
    ]);
  });

  it('never throws, and names lines that there are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const answer = parseLocalConfig(bytes);
        const lines = Buffer.from(bytes)
          .toString('utf8')
          .split(/\r\n|\n|\r/).length;
        if (answer.kind === 'problems') for (const { line } of answer.problems) expect(line).toBeLessThanOrEqual(lines);
      }),
    );
    const line = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .tuple(fc.constantFrom('HOSTNAME', 'IPADDR', 'NETMASK', 'DNS', 'SWAP', 'INSTALL', 'IMAGENAME'), fc.string())
        .map(([name, value]) => `${name}=${value}`),
    );
    fc.assert(fc.property(fc.array(line), (lines) => void read(lines.join('\n'))));
  });

  it('lets nothing through that a shell would take for more than a word', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const answer = read(`IPADDR=${value}\nHOSTNAME=${value}\nDEVICE=${value}`);
        if (answer.kind !== 'settings') return;
        for (const each of [answer.settings.hostName, answer.settings.device, answer.settings.network?.address])
          expect(each ?? '').toMatch(/^[\w.-]*$/);
      }),
    );
  });
});

describe('renderLocalTemplate', () => {
  it('says nothing until it is filled in', () => {
    const answer = read(renderLocalTemplate());
    expect(answer.kind === 'settings' && isEmptySettings(answer.settings)).toBe(true);
  });

  it('shows values that are read', () => {
    const filled = renderLocalTemplate().replaceAll(/^#(?! )/gm, '');
    expect(settings(filled)).toMatchObject({
      hostName: 'web01',
      swap: 2 * 2 ** 30,
      kernelOptions: 'console=ttyS1,115200',
    });
  });

  it('carries what is given', () => {
    const text = renderLocalTemplate({
      IMAGESERVER: 'http://10.0.0.1:8080',
      DISK: 'size>=200G',
      KERNEL_OPTIONS: 'a b',
    });
    expect(settings(text)).toEqual({ server: 'http://10.0.0.1:8080', disk: 'size>=200G', kernelOptions: 'a b' });
  });
});
