import { describe, expect, it } from 'vitest';
import { imageContent, versionRecord } from '../../tests/version-record.ts';
import { systemClock } from '../foundation/clock.ts';
import { toImprintError } from '../foundation/errors.ts';
import type { Installer } from './install-order.ts';
import { LiveOrders, type LiveSystem } from './live-orders.ts';

const G = 1024 ** 3;
const disk = (path: string) => ({
  ...{ path, size: 40 * G, sectorSize: 512, removable: false, readOnly: false, content: 'empty', inUse: [] },
});
const never = new AbortController().signal;

/** Somebody's live system with two disks, whose version nobody signed: each order ends before anything is written. */
function system(memory: Partial<LiveSystem['memory']> = {}): LiveSystem {
  const record = versionRecord({ number: 3 });
  const facts = {
    ...{ architecture: 'x86_64', cpu: 'cpu', cores: 1, memory: G, firmware: 'bios' as const, interfaces: [] },
    disks: [disk('/dev/vda'), disk('/dev/vdb')],
  };
  return {
    host: { clock: systemClock, tell: async () => {} } as unknown as LiveSystem['host'],
    installer: {} as Installer,
    memory: {
      ...{ memory: async () => ({ used: 1, size: 2, level: 'calm' as const }), isMoved: false, isReleased: false },
      ...{ uuid: 'u', fileSystem: 'ext4', ...memory },
    } as LiveSystem['memory'],
    version: { record, recordText: '{}', tags: [] },
    ...{ content: imageContent(), store: {} as LiveSystem['store'], location: '/store', name: 'web', signal: never },
    readFacts: async () => facts,
  };
}

const order = (path: string) => ({
  ...{ kind: 'install' as const, options: { disk: path }, disk: { path } },
});
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'fulfilled',
    (error) => toImprintError(error).code,
  );

describe('two who order a live system onto a disk', () => {
  it('at once: one is carried out, and the other is refused with words', async () => {
    const orders = new LiveOrders(system());
    const [one, other] = await Promise.allSettled([
      orders.install(order('/dev/vda'), () => {}, never),
      orders.install(order('/dev/vdb'), () => {}, never),
    ]);
    expect(one.status === 'rejected' && toImprintError(one.reason).code).toMatch(/^signature/);
    expect(other.status === 'rejected' && toImprintError(other.reason).message).toBe(
      'This system was told to move onto /dev/vda already: it is on its way.',
    );
  });

  it('one after the other: the second counts, where the first broke off before the disk had anything', async () => {
    const orders = new LiveOrders(system());
    expect(await codeOf(orders.install(order('/dev/vda'), () => {}, never))).toMatch(/^signature/);
    expect((await orders.status()).move).toEqual({ id: expect.any(String), disk: '/dev/vda', state: 'failed' });
    expect((await orders.plan({ options: { disk: '/dev/vdb' } })).disk.path).toBe('/dev/vdb');
  });

  it('can only have it go on, where it broke off when the disk had what is written', async () => {
    const orders = new LiveOrders(system({ isMoved: true }));
    expect(await codeOf(orders.install(order('/dev/vda'), () => {}, never))).toBe('live-broken-off');
    expect((await orders.status()).move).toMatchObject({ disk: '/dev/vda', state: 'failed', goesOn: true });
    expect(await codeOf(orders.plan({ options: { disk: '/dev/vdb' } }))).toBe('live-busy');
  });
});

it('a live system says that its medium cannot be read, and that it can again', async () => {
  const orders = new LiveOrders(system());
  orders.sourceTold('Its disk cannot read it.');
  expect((await orders.status()).problem).toBe('Its disk cannot read it.');
  orders.sourceTold(undefined);
  expect((await orders.status()).problem).toBeUndefined();
});
