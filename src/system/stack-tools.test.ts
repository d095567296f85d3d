import { expect, it } from 'vitest';
import { fakeProcesses } from '../../tests/fake-processes.ts';
import { Task } from '../foundation/task.ts';
import { releaseStack } from '../operations/install/stack-executors.ts';
import { makeCrypt } from './crypt.ts';
import { makeRaid } from './raid.ts';
import { makeGroup, makeVolume } from './volume-group.ts';

const M = 1024 ** 2;

it.each([
  [
    'a mirror',
    { level: 1, missing: 0, spares: [], members: ['/dev/sda4', '/dev/sdb4'] },
    '--bitmap=internal --raid-devices=2 /dev/sda4 /dev/sdb4',
  ],
  [
    'half a mirror',
    { level: 1, missing: 1, spares: [], members: ['/dev/sda4'] },
    '--bitmap=internal --raid-devices=2 /dev/sda4 missing',
  ],
  [
    'RAID 5 with a spare',
    { level: 5, missing: 0, spares: ['/dev/sde1'], members: ['/dev/sdb1', '/dev/sdc1', '/dev/sdd1'], chunk: M / 2 },
    '--bitmap=internal --chunk=512 --raid-devices=3 --spare-devices=1 /dev/sdb1 /dev/sdc1 /dev/sdd1 /dev/sde1',
  ],
  [
    'RAID 0, which has nothing to note',
    { level: 0, missing: 0, spares: [], members: ['/dev/sdb1', '/dev/sdc1'] },
    '--raid-devices=2 /dev/sdb1 /dev/sdc1',
  ],
])('makes %s that asks nothing', async (_what, wish, words) => {
  const processes = fakeProcesses();
  const uuid = '00000001:00000002:00000003:00000004';
  await makeRaid(processes, { device: '/dev/md/x', name: 'x', metadata: '1.2', uuid, ...wish });
  const fixed = `mdadm --create /dev/md/x --run --force --level=${wish.level} --metadata=1.2 --homehost=any --name=x --uuid=${uuid}`;
  expect(processes.commands.slice(1)).toEqual([
    `mdadm --zero-superblock --force ${[...wish.members, ...wish.spares].join(' ')}`,
    `${fixed} ${words}`,
    'wipefs --all --force /dev/md/x',
  ]);
});

it('makes a group and its volumes, of bytes', async () => {
  const processes = fakeProcesses();
  await makeGroup(processes, { name: 'vg0', physicalVolumes: ['/dev/md/x', '/dev/sdc1'], extent: 4 * M });
  await makeVolume(processes, { group: 'vg0', name: 'root', bytes: 8 * M });
  await makeVolume(processes, { group: 'vg0', name: 'pool', bytes: 16 * M, thinPool: true });
  await makeVolume(processes, { group: 'vg0', name: 'vm', bytes: 64 * M, pool: 'pool' });
  expect(processes.commands.slice(1)).toEqual([
    'lvm pvcreate --yes --force --force /dev/md/x /dev/sdc1',
    'lvm vgcreate --yes --physicalextentsize 4194304b vg0 /dev/md/x /dev/sdc1',
    'lvm lvcreate --yes --wipesignatures y --zero y --name root --size 8388608b vg0',
    'lvm lvcreate --yes --name pool --type thin-pool --size 16777216b vg0',
    'lvm lvcreate --yes --name vm --type thin --virtualsize 67108864b --thinpool vg0/pool',
  ]);
});

it('gives the secret of an encrypted device by standard input, and nowhere else', async () => {
  const processes = fakeProcesses();
  const wish = { name: 'secret', on: '/dev/md/x', uuid: 'u-1', version: '2' as const };
  await makeCrypt(processes, wish, Buffer.from('open sesame'));
  const given = processes.commands.filter((command) => command.startsWith('cryptsetup'));
  expect(given).toHaveLength(2);
  for (const command of given) {
    const [words, input] = command.split(' <<< ');
    expect(words).not.toContain('sesame');
    expect(words).toContain('--key-file=-');
    expect(input).toBe('open sesame');
  }
  expect(given[0]).toContain('luksFormat --batch-mode --type=luks2 --uuid=u-1');
});

it('passes over what an install has not made yet', async () => {
  const processes = fakeProcesses();
  const raid = { level: 1 as const, metadata: '1.2', uuid: 'u', members: [], missing: 0, spares: [] };
  await releaseStack(
    processes,
    [
      { kind: 'make-raid', name: 'x', device: '/dev/md/imprint-no-such-array', ...raid },
      { kind: 'make-group', name: 'imprint-no-such-group', physicalVolumes: [], extent: 4 * M },
    ],
    Task.silent(),
  );
  expect(processes.commands).toEqual([]);
});
