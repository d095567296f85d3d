import { expect } from 'vitest';
import type { StackMachine, StackRow } from './stack-machine.ts';

const minute = 60_000;

/** Mount point → device, file system and, where it is asked for, more; of what is mounted from a disk. */
async function mounts(machine: StackMachine): Promise<Record<string, string>> {
  const text = await machine.shell('findmnt -rnD --real -o TARGET,SOURCE,FSTYPE');
  return Object.fromEntries(
    text.split('\n').map((line) => [line.split(' ', 1)[0], line.split(' ').slice(1).join(' ')]),
  );
}

/** Nothing has failed, and the machine is what was captured, by its own name. */
async function expectWhole(machine: StackMachine): Promise<void> {
  expect(await machine.shell('hostname; systemctl is-active nginx; systemctl --failed --no-legend --plain')).toBe(
    `${machine.name}\nactive`,
  );
}

/** Installs it, leaves a file of its own below `directory`, installs it again: the file is there, on the same partition, and what was on the root is not. */
async function keepsThroughReinstall(
  machine: StackMachine,
  directory: string,
  look: (machine: StackMachine) => Promise<void>,
): Promise<void> {
  const partition = `device=$(findmnt -no SOURCE ${directory}); cat /sys/class/block/\${device##*/}/{start,size}; blkid -o value -s UUID $device`;
  const ask = `bash -c '${partition}'; md5sum ${directory}/precious`;
  await machine.install();
  await machine.powerOn();
  await look(machine);
  await machine.shell(
    `head -c 3000000 /dev/urandom > ${directory}/precious; touch ${directory}/of-the-first /root/of-the-first`,
  );
  const before = await machine.shell(ask);
  expect(before.split('\n')).toHaveLength(4);
  await machine.shutDown();
  await machine.install();
  await machine.powerOn();
  await look(machine);
  expect(await machine.shell(ask)).toBe(before);
  expect(await machine.shell(`ls ${directory} /root`)).toMatch(/of-the-first\nprecious/);
  expect(await machine.shell('ls /root')).toBe('');
}

const mbr: StackRow = {
  title: 'MBR with logical partitions',
  number: 70,
  firmware: 'bios',
  image: 'web',
  // The golden machine's disk has 2 GiB.
  disks: [{ size: '1900M' }],
  layout: `disks:
  - name: system
    table: mbr
    erase: [linux]
    partitions:
      - { name: bios, role: bios-boot }
      - { name: esp, role: esp, size: 64M }
      - { name: boot, role: boot, size: 256M }
      - { name: root, role: root, min: 800M }
      - { name: swap, role: swap, size: 64M }
      - { name: log, role: data, size: 96M, fileSystem: { type: ext4, label: log, mount: /var/log } }
      - name: data
        role: data
        keep: true
        size: 128M
        fileSystem: { type: ext4, label: data, mount: /srv/data, options: nofail }
`,
  async story(machine) {
    await keepsThroughReinstall(machine, '/srv/data', async () => {
      await expectWhole(machine);
      expect(await machine.shell('lsblk -no PTTYPE /dev/vda1; lsblk -rno NAME /dev/vda | wc -l')).toBe('dos\n8');
      // A logical partition that stays becomes the first of the chain: its number is another one, its place is not.
      expect(await mounts(machine)).toMatchObject({
        '/': '/dev/vda3 ext4',
        '/var/log': expect.stringMatching(/^\/dev\/vda[567] ext4$/),
        '/srv/data': expect.stringMatching(/^\/dev\/vda[567] ext4$/),
      });
      expect(await machine.shell('findmnt -no LABEL /var/log; findmnt -no LABEL /srv/data')).toBe('log\ndata');
      expect(await machine.shell('swapon --noheadings --show=NAME')).toMatch(/^\/dev\/vda[567]$/);
      expect(await machine.shell('ls -d /var/log/journal /var/log/nginx')).not.toBe('');
    });
    return 'on a disk smaller than the golden one; a logical partition with data outlived a reinstall';
  },
};

const nvme: StackRow = {
  title: 'NVMe with 4096-byte sectors, UEFI',
  number: 71,
  firmware: 'uefi',
  image: 'web',
  disks: [{ size: '4G', bus: 'nvme', sectorSize: 4096 }],
  layout: `disks:
  - name: system
    match: transport=nvme
    erase: [linux]
    partitions:
      - { name: bios, role: bios-boot }
      - { name: esp, role: esp, size: 300M }
      - { name: boot, role: boot, size: 256M }
      - { name: root, role: root, min: 1G }
      - { name: swap, role: swap, size: 128M }
      - name: data
        role: data
        keep: true
        size: 512M
        fileSystem: { type: xfs, label: data, mount: /srv/data, options: noatime }
`,
  async story(machine) {
    await keepsThroughReinstall(machine, '/srv/data', async () => {
      await expectWhole(machine);
      expect(await machine.shell('lsblk -dno PTTYPE,LOG-SEC /dev/nvme0n1; ls -d /sys/firmware/efi')).toMatch(
        /^gpt +4096\n\/sys\/firmware\/efi$/,
      );
      expect(await mounts(machine)).toMatchObject({
        '/': '/dev/nvme0n1p4 ext4',
        '/boot/efi': '/dev/nvme0n1p2 vfat',
        '/srv/data': '/dev/nvme0n1p6 xfs',
      });
      expect(await machine.shell('swapon --noheadings --show=NAME')).toBe('/dev/nvme0n1p5');
      expect(await machine.shell('findmnt -no OPTIONS /srv/data')).toContain('noatime');
    });
    return 'started from NVMe; xfs with data outlived a reinstall';
  },
};

/** What firmware and GRUB read. */
const boot =
  '{ name: bios, role: bios-boot }, { name: esp, role: esp, size: 64M }, { name: boot, role: boot, size: 256M }';

/** The members that an array has, as `/proc/mdstat` shows them: `UU`, `_U`. */
function members(machine: StackMachine): Promise<string> {
  return machine.shell("sed -n 's/.*\\[\\([U_]*\\)\\]$/\\1/p' /proc/mdstat");
}

/** Waits until nothing is copied from one member to another any more. */
async function inSync(machine: StackMachine): Promise<void> {
  await machine.shell('mdadm --wait /dev/md/* || :', 10 * minute);
}

const raid: StackRow = {
  title: 'RAID 1, BIOS',
  number: 72,
  firmware: 'bios',
  image: 'stack',
  disks: [{ size: '3G' }, { size: '3G' }],
  layout: `disks:
  - name: pair
    match: size>=1G
    count: 2
    erase: [linux, raid]
    partitions: [${boot}, { name: half }]
raids:
  - { name: system, level: 1, members: [half], role: root }
`,
  async story(machine) {
    await machine.install();
    await machine.powerOn();
    await expectWhole(machine);
    expect((await mounts(machine))['/']).toMatch(/^\/dev\/md\d+ ext4$/);
    expect(await members(machine)).toBe('UU');
    await inSync(machine);
    await machine.shutDown();

    await machine.powerOn({ disks: [1] });
    await expectWhole(machine);
    expect(await members(machine)).toBe('_U');
    await machine.shell('echo written by the second disk alone > /root/degraded');
    await machine.shutDown();

    // The first one comes back with what it had: it is behind, and has to be told so.
    await machine.powerOn();
    expect(await members(machine)).toMatch(/^(_U|UU)$/);
    const missing = '[ -e /sys/block/${array##*/}/slaves/${part##*/} ]';
    await machine.shell(
      `array=$(findmnt -no SOURCE /); for part in /dev/vda4 /dev/vdb4; do ${missing} || mdadm --manage $array --add $part; done`,
    );
    await inSync(machine);
    expect(await members(machine)).toBe('UU');
    await machine.shutDown();

    await machine.powerOn({ disks: [0] });
    await expectWhole(machine);
    expect(await members(machine)).toBe('U_');
    expect(await machine.shell('cat /root/degraded')).toBe('written by the second disk alone');
    return 'started from both disks and from each of them alone';
  },
};

const lvm: StackRow = {
  title: 'LVM on RAID 1, UEFI',
  number: 73,
  firmware: 'uefi',
  image: 'stack',
  disks: [{ size: '3G' }, { size: '3G' }],
  layout: `disks:
  - name: pair
    match: size>=1G
    count: 2
    erase: [linux, raid, lvm]
    partitions: [${boot}, { name: half }]
raids:
  - { name: mirror, level: 1, members: [half] }
volumeGroups:
  - name: vg0
    physicalVolumes: [mirror]
    volumes:
      - { name: root, role: root, min: 1G, max: 1500M }
      - { name: swap, role: swap, size: 128M }
      - { name: log, role: data, size: 256M, fileSystem: { type: xfs, mount: /var/log } }
`,
  async story(machine) {
    const look = async () => {
      await expectWhole(machine);
      expect(await mounts(machine)).toMatchObject({
        '/': '/dev/mapper/vg0-root ext4',
        '/var/log': '/dev/mapper/vg0-log xfs',
      });
      expect(await machine.shell('swapon --noheadings --show=NAME | xargs readlink -f')).toBe(
        await machine.shell('readlink -f /dev/vg0/swap'),
      );
    };
    await machine.install();
    await machine.powerOn();
    await look();
    expect(await members(machine)).toBe('UU');
    await machine.shutDown();
    // Once more over what is there: array, group and all.
    await machine.install();
    await machine.powerOn();
    await look();
    await inSync(machine);
    await machine.shutDown();
    await machine.powerOn({ disks: [1] });
    await look();
    expect(await members(machine)).toBe('_U');
    return 'installed, installed again over itself, and started from the second disk alone';
  },
};

const luks: StackRow = {
  title: 'LVM in LUKS',
  number: 74,
  firmware: 'bios',
  image: 'stack',
  disks: [{ size: '3G' }],
  passphrase: 'four words for tests',
  layout: `disks:
  - name: system
    erase: [linux, luks]
    partitions: [${boot}, { name: sealed }]
crypts:
  - { name: secret, device: sealed, unlock: passphrase }
volumeGroups:
  - name: vg0
    physicalVolumes: [secret]
    volumes:
      - { name: root, role: root, min: 1G }
      - { name: swap, role: swap, size: 128M }
`,
  async story(machine) {
    await machine.install();
    await machine.powerOn();
    await expectWhole(machine);
    expect((await mounts(machine))['/']).toBe('/dev/mapper/vg0-root ext4');
    expect(await machine.shell('lsblk -rno TYPE /dev/vda4')).toBe('part\ncrypt\nlvm\nlvm');
    expect(await machine.shell('cryptsetup luksDump /dev/vda4 | grep -c "^  [0-9]: luks2"')).toBe('1');
    expect(await machine.shell('swapon --noheadings --show=NAME | wc -l')).toBe('1');
    return 'opened by what was typed at the serial console';
  },
};

const btrfs: StackRow = {
  title: 'btrfs subvolumes, UEFI',
  number: 75,
  firmware: 'uefi',
  image: 'stack',
  disks: [{ size: '3G' }],
  layout: `disks:
  - name: system
    erase: [linux]
    partitions:
      - { name: bios, role: bios-boot }
      - { name: esp, role: esp, size: 64M }
      - { name: boot, role: boot, size: 256M }
      - name: root
        role: root
        min: 1500M
        fileSystem:
          type: btrfs
          subvolumes:
            - { name: '@', mount: / }
            - { name: '@home', mount: /home, options: noatime }
swap: [{ file: /swapfile, size: 128M }]
`,
  async story(machine) {
    await machine.install();
    await machine.powerOn();
    await expectWhole(machine);
    expect((await mounts(machine))['/']).toMatch(/^\/dev\/vda4\[\/@\] btrfs$/);
    expect((await mounts(machine))['/home']).toMatch(/^\/dev\/vda4\[\/@home\] btrfs$/);
    expect(await machine.shell('findmnt -no OPTIONS /home')).toContain('noatime');
    expect(await machine.shell('swapon --noheadings --show=NAME')).toBe('/swapfile');
    return 'root and home in subvolumes, swap in a file';
  },
};

const raid5: StackRow = {
  title: 'RAID 5 of data disks with a thin pool',
  number: 76,
  firmware: 'bios',
  image: 'stack',
  disks: [{ size: '2500M' }, { size: '3G' }, { size: '3G' }, { size: '3G' }],
  layout: `disks:
  - name: system
    match: smallest
    erase: [linux]
    partitions: [${boot}, { name: root, role: root, min: 1G }]
  - name: large
    match: size>=3G
    count: 3
    erase: [linux, raid, lvm]
    partitions: [{ name: part }]
raids:
  - { name: bulk, level: 5, members: [part] }
volumeGroups:
  - name: vgdata
    physicalVolumes: [bulk]
    volumes:
      - { name: pool, thinPool: true, size: 3G }
      - { name: vm, role: data, pool: pool, size: 50G, fileSystem: { type: ext4, mount: /vm } }
      - { name: plain, role: data, size: 1G, fileSystem: { type: xfs, mount: /srv/plain } }
`,
  async story(machine) {
    const look = async () => {
      await expectWhole(machine);
      expect(await mounts(machine)).toMatchObject({
        '/': '/dev/vda4 ext4',
        '/vm': '/dev/mapper/vgdata-vm ext4',
        '/srv/plain': '/dev/mapper/vgdata-plain xfs',
      });
      expect(Number(await machine.shell('df --output=size -B1G /vm | tail -n 1'))).toBeGreaterThan(45);
    };
    await machine.install();
    await machine.powerOn();
    await look();
    await inSync(machine);
    expect(await members(machine)).toBe('UUU');
    await machine.shell('for place in /vm /srv/plain; do head -c 20000000 /dev/urandom > $place/file; done');
    const sums = await machine.shell('md5sum /vm/file /srv/plain/file');
    await machine.shutDown();
    await machine.powerOn({ disks: [0, 1, 3] });
    await look();
    expect(await members(machine)).toMatch(/^(U_U|UU_|_UU)$/);
    expect(await machine.shell('md5sum /vm/file /srv/plain/file')).toBe(sums);
    return 'three disks, and two of them; 50 GiB where there are less than 6';
  },
};

export const stackRows: readonly StackRow[] = [mbr, raid, nvme, lvm, luks, btrfs, raid5];
