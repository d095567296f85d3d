import { expect } from 'vitest';
import type { StackMachine, StackRow } from './stack-machine.ts';

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
      expect(await mounts(machine)).toMatchObject({
        '/': '/dev/vda3 ext4',
        '/var/log': '/dev/vda6 ext4',
        '/srv/data': '/dev/vda7 ext4',
      });
      expect(await machine.shell('swapon --noheadings --show=NAME')).toBe('/dev/vda5');
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

export const stackRows: readonly StackRow[] = [mbr, nvme];
