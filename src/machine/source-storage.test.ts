import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sourceStorageSchema } from '../contract/storage.ts';
import { parseStorage } from './source-storage.ts';

const none = { lsblk: '', md: '', lvm: '', crypttab: '', fstab: '', swaps: '', zram: '', meminfo: '' };
const node = (name: string, type: string, children: object[] = []) => ({
  name,
  type,
  size: 1024,
  mountpoints: [null],
  children,
});

describe('parseStorage', () => {
  it('knows each device once, on all that it lies on', () => {
    const array = node('md0', 'raid1');
    const lsblk = JSON.stringify({
      blockdevices: [
        node('sda', 'disk', [node('sda1', 'part', [array])]),
        node('sdb', 'disk', [node('sdb1', 'part', [array])]),
        node('loop0', 'loop'),
        node('sr0', 'rom'),
      ],
    });
    const { devices = [] } = parseStorage({ ...none, lsblk }) ?? {};
    expect(devices.map(({ name, on }) => [name, ...on])).toEqual([
      ['sda'],
      ['sda1', 'sda'],
      ['md0', 'sda1', 'sdb1'],
      ['sdb'],
      ['sdb1', 'sdb'],
    ]);
  });

  it('reads what /sys and the tools say', () => {
    const storage = parseStorage({
      ...none,
      lsblk: JSON.stringify({ blockdevices: [node('sda', 'disk')] }),
      md: 'md md127 raid5 3 1.2 524288\nmember md127 sdb1 in_sync\nmember md127 sdc1 spare\nmember md127 sdd1 faulty\ntitle host:data_0 md127\n',
      crypttab: '# none\nsecret UUID=1 /etc/keys/a luks,tpm2-device=auto\nswap /dev/sda2 /dev/urandom swap\n',
      fstab:
        'UUID=1 / ext4 defaults 0 1\ntmpfs /tmp tmpfs defaults 0 0\n/swapfile none swap sw 0 0\n//nas/x /mnt cifs guest 0 0\n',
      swaps: 'Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n/swapfile file 1024 0 -3\n',
      zram: 'zram0 4096\nzram1 4096\n',
      meminfo: 'MemTotal:       16 kB\n',
    });
    expect(storage).toMatchObject({
      arrays: [
        {
          ...{ name: 'md127', level: 'raid5', disks: 3, metadata: '1.2', chunk: 524_288, title: 'data' },
          members: [
            { device: 'sdb1', spare: false },
            { device: 'sdc1', spare: true },
          ],
        },
      ],
      crypts: [
        { name: 'secret', device: 'UUID=1', key: '/etc/keys/a', options: ['luks', 'tpm2-device=auto'] },
        { name: 'swap', device: '/dev/sda2', key: '/dev/urandom', options: ['swap'] },
      ],
      mounts: [
        { spec: 'UUID=1', mountPoint: '/' },
        { spec: '/swapfile', mountPoint: 'none' },
      ],
      swapFiles: [{ path: '/swapfile', size: 1_048_576 }],
      ...{ zram: 8192, memory: 16_384 },
    });
  });

  it('reads what LVM of Debian 12 printed', () => {
    const lvm = `  {
      "report": [
          {
              "vg": [
                  {"vg_name":"vg0", "vg_size":"411041792", "vg_free":"369098752", "vg_extent_size":"4194304"}
              ]
          }
      ]
  }
  {
      "report": [
          {
              "lv": [
                  {"vg_name":"vg0", "lv_name":"root", "lv_size":"41943040", "segtype":"linear", "pool_lv":"", "lv_role":"public"}
              ]
          }
      ]
  }
`;
    const lsblk = JSON.stringify({ blockdevices: [node('sda', 'disk')] });
    expect(parseStorage({ ...none, lsblk, lvm })).toMatchObject({
      groups: [{ name: 'vg0', extent: 4_194_304, size: 411_041_792, free: 369_098_752 }],
      volumes: [{ group: 'vg0', name: 'root', size: 41_943_040, kind: 'linear' }],
    });
  });

  it('makes of anything else something that fits the record, or nothing', () => {
    const text = fc.oneof(fc.string(), fc.json());
    fc.assert(
      fc.property(
        fc.record({ md: text, lvm: text, crypttab: text, fstab: text, swaps: text, zram: text, meminfo: text }),
        (answers) => {
          const lsblk = JSON.stringify({ blockdevices: [node('sda', 'disk')] });
          expect(
            sourceStorageSchema.safeParse(JSON.parse(JSON.stringify(parseStorage({ ...answers, lsblk })))).success,
          ).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
    expect(parseStorage({ ...none, lsblk: 'no json' })).toBeUndefined();
  });
});
