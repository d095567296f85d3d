import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fakeProcesses } from '../../tests/fake-processes.ts';
import { wayToServer } from './way-to-server.ts';

/** As ip of iproute2 6.1 writes it. */
const route = '[{"dst":"10.9.9.9","gateway":"10.3.0.1","dev":"d0","prefsrc":"10.3.0.5","flags":[],"uid":0,"cache":[]}]';
const link = (life: number) =>
  JSON.stringify([
    {
      ...{ ifindex: 3, ifname: 'd0', link_type: 'ether', address: '4e:88:b0:bb:88:c6' },
      addr_info: [
        { family: 'inet', local: '10.3.0.9', prefixlen: 16, valid_life_time: 60 },
        { family: 'inet', local: '10.3.0.5', prefixlen: 24, valid_life_time: life },
        { family: 'inet6', local: 'fe80::4c88:b0ff:febb:88c6', prefixlen: 64, valid_life_time: 4_294_967_295 },
      ],
    },
  ]);

async function way(life: number, server: string, { isCard = true } = {}) {
  const cards = await mkdtemp(join(tmpdir(), 'imprint-cards-'));
  try {
    await mkdir(join(cards, 'd0/device'), { recursive: true });
    if (isCard) await writeFile(join(cards, 'd0/device/uevent'), '');
    const processes = fakeProcesses((line) => (line.includes('route get') ? route : link(life)));
    return await wayToServer(processes, server, cards);
  } finally {
    await rm(cards, { recursive: true });
  }
}

it('tells the card, and the address where no DHCP server lends it', async () => {
  const mac = '4e:88:b0:bb:88:c6';
  expect(await way(1200, 'http://10.9.9.9:4280')).toEqual({ mac });
  const fixed = { address: '10.3.0.5', prefix: 24, gateway: '10.3.0.1' };
  expect(await way(4_294_967_295, 'http://10.9.9.9:4280')).toMatchObject({ mac, fixed });
});

it('tells nothing of a bridge, of this machine itself, and of what nobody finds', async () => {
  expect(await way(1200, 'http://10.9.9.9:4280', { isCard: false })).toBeUndefined();
  expect(await way(1200, 'http://127.0.0.1:4280')).toBeUndefined();
  expect(await way(1200, 'http://no-such-host.invalid:4280')).toBeUndefined();
});
