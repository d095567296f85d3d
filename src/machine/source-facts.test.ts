import { describe, expect, it } from 'vitest';
import { sourceFactsSchema } from '../contract/image.ts';
import { type RawPath, rawPath } from '../foundation/brand.ts';
import { parseAnswers } from './golden-questions.ts';
import { parseDf, parseOsRelease, parseSwapFiles, surveySource } from './source-facts.ts';

/** As a Debian 12 virtual machine answered, shortened; a talkative login shell before it. */
const answers = `Welcome!

@@imprint-section user
0

@@imprint-section root
/

@@imprint-section mountinfo
22 27 0:21 / /proc rw - proc proc rw
27 1 254:4 / / rw,relatime - ext4 /dev/vda4 rw,errors=remount-ro
28 27 254:2 / /boot/efi rw,relatime - vfat /dev/vda2 rw
31 27 0:50 / /mnt/nfs rw - nfs4 server:/export rw

@@imprint-section swaps
Filename				Type		Size		Used		Priority
/dev/vda3                               partition	102396		0		-2
/swap\\040file                           file		524284		0		-3

@@imprint-section os-release
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
ID=debian

@@imprint-section hostname
golden

@@imprint-section kernel
6.1.0-40-cloud-amd64

@@imprint-section architecture
x86_64

@@imprint-section firmware
uefi

@@imprint-section cmdline
BOOT_IMAGE=/boot/vmlinuz-6.1.0-40-cloud-amd64 root=UUID=1234 ro console=ttyS0,115200 quiet resume=/dev/vda3 -- single

@@imprint-section df
Filesystem     1024-blocks    Used Available Capacity Mounted on
/dev/vda4          2435056  861232   1431056      38% /
/dev/vda2           523248    5932    517316       2% /boot/efi

@@imprint-section lsblk
{"blockdevices": [{"name": "vda", "path": "/dev/vda", "maj:min": "254:0", "fstype": null, "model": null, "serial": "golden-disk", "tran": "virtio", "pttype": "gpt", "children": [
 {"name": "vda2", "path": "/dev/vda2", "maj:min": "254:2", "fstype": "vfat", "uuid": "ABCD-1234", "label": "ESP", "mountpoint": "/boot/efi"},
 {"name": "vda3", "path": "/dev/vda3", "maj:min": "254:3", "fstype": "swap", "uuid": "5678", "mountpoint": "[SWAP]"},
 {"name": "vda4", "path": "/dev/vda4", "maj:min": "254:4", "fstype": "ext4", "uuid": "1234", "mountpoint": "/"}]},
 {"name": "vdb", "path": "/dev/vdb", "maj:min": "254:16", "pttype": "dos", "children": [
 {"name": "vdb1", "path": "/dev/vdb1", "maj:min": "254:17", "fstype": "xfs", "parttype": "0x83", "mountpoint": null}]}]}

@@imprint-section sys-block
disk vda 6291456 512 1
part vda vda1 1 2048 2048
part vda vda2 2 4096 1048576
part vda vda3 3 1052672 204800
part vda vda4 4 1257472 5031936
disk vdb 2048 4096 0
part vdb vdb1 1 2048 1000
disk nvme0n1 0 512 0

@@imprint-section sfdisk
{
   "partitiontable": {
      "label": "gpt",
      "device": "/dev/vda",
      "sectorsize": 512,
      "partitions": [
         {
            "node": "/dev/vda1",
            "type": "21686148-6449-6E6F-744E-656564454649",
            "name": "bios"
         },{
            "node": "/dev/vda4",
            "type": "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
         }
      ]
   }
}

@@imprint-section end
`;

describe('surveySource', () => {
  it('gathers the facts of a whole machine', () => {
    const survey = surveySource(parseAnswers(answers), 'ssh://root@golden', rawPath('/'), false);
    const { facts } = survey;
    expect(sourceFactsSchema.parse(facts)).toEqual(facts);
    expect(facts).toMatchObject({
      location: 'ssh://root@golden',
      hostName: 'golden',
      architecture: 'x86_64',
      kernel: '6.1.0-40-cloud-amd64',
      system: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
      bootMode: 'uefi',
      kernelOptions: 'console=ttyS0,115200 quiet',
    });
    expect(survey.isSystem).toBe(true);
    expect(survey.swapFiles).toEqual(['/swap file']);
    expect(survey.mounts.captured.map(({ mountPoint }) => mountPoint)).toEqual(['/boot/efi']);
    expect(facts.fileSystems).toEqual([
      {
        mountPoint: '/',
        type: 'ext4',
        device: '/dev/vda4',
        uuid: '1234',
        options: 'rw,relatime',
        size: 2435056 * 1024,
        used: 861232 * 1024,
        captured: true,
      },
      expect.objectContaining({ mountPoint: '/boot/efi', uuid: 'ABCD-1234', label: 'ESP', captured: true }),
      expect.objectContaining({ mountPoint: '/mnt/nfs', type: 'nfs4', device: 'server:/export', captured: false }),
    ]);
    expect(facts.disks).toMatchObject([
      {
        name: 'vda',
        size: 6291456 * 512,
        sectorSize: 512,
        label: 'gpt',
        serial: 'golden-disk',
        transport: 'virtio',
        rotational: true,
        partitions: [
          { number: 1, start: 1048576, size: 1048576, type: '21686148-6449-6E6F-744E-656564454649', name: 'bios' },
          { number: 2, fileSystem: 'vfat', mountPoint: '/boot/efi' },
          { number: 3, fileSystem: 'swap' },
          { number: 4, fileSystem: 'ext4', mountPoint: '/', type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' },
        ],
      },
      { name: 'vdb', sectorSize: 4096, label: 'dos', partitions: [{ type: '83', fileSystem: 'xfs' }] },
    ]);
  });

  it('says of a directory only what holds for it, and of a machine that answers nothing, nothing', () => {
    const plain = surveySource(
      new Map([['mountinfo', '27 1 8:1 / / rw - ext4 /dev/sda1 rw']]),
      '/srv',
      rawPath('/srv'),
      false,
    );
    expect(plain).toMatchObject({ isSystem: false, facts: { bootMode: 'unknown', disks: [] } });
    expect(plain.facts).not.toHaveProperty('hostName');
    const silent = surveySource(new Map(), '/', rawPath('/'), false);
    expect(sourceFactsSchema.parse(silent.facts)).toMatchObject({ disks: [], fileSystems: [] });
  });
});

it('reads os-release with any quotes', () => {
  expect(parseOsRelease(`ID='arch'\nNAME=Arch\\ x\nPRETTY_NAME="A \\"B\\""\n# VERSION_ID=1`)).toEqual({
    id: 'arch',
    name: 'A "B"',
  });
  expect(parseOsRelease('NAME=x')).toBeUndefined();
});

it('reads df and swaps of odd names', () => {
  expect(
    parseDf('Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a b 10 5 -1 99% /mnt/a b').get('/mnt/a b'),
  ).toEqual({
    size: 10240,
    used: 5120,
  });
  expect(parseSwapFiles('/a\\012b file 1 0 -2')).toEqual(['/a\nb' as RawPath]);
});
