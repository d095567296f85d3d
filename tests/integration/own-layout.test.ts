import { hash } from 'node:crypto';
import { constants, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { executeInstall } from '../../src/operations/install/execute-install.ts';
import { describeStep } from '../../src/planning/step.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { contextFor } from './install-tree.ts';
import { addHomes, content, install, planOn, stepsOn, text, within } from './layout-install.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const { run } = systemProcesses;

const layout = (more: string) => `disks:
  - name: d
    erase: [linux]
    partitions:
      - { name: bios, role: bios-boot }
      - { name: esp, role: esp }
      - { name: boot, role: boot }
      - { name: root, role: root, min: 800M, fileSystem: { type: xfs, mount: /, options: noatime } }
${more}      - { name: home, role: home, size: 256M, fileSystem: { type: ext4, label: home, make: -m 0 } }
      - name: data
        role: data
        keep: true
        size: 96M
        fileSystem: { type: ext4, label: data, mount: /srv/data, options: nofail }
`;

async function table(disk: LoopDisk): Promise<Record<string, object>> {
  const { partitiontable } = JSON.parse((await run('sfdisk', ['--json', disk.device])).stdout);
  return Object.fromEntries(partitiontable.partitions.map((each: { name: string }) => [each.name, each]));
}

async function bytesOf(device: string): Promise<string> {
  return hash('sha256', await readFile(device));
}

describe.skipIf(process.getuid?.() !== 0)('an install by a layout of one’s own', { timeout: 120_000 }, () => {
  it('makes what it says, and keeps what is to be kept through the next, which is cut again and again', async () => {
    await using disk = await loopDisk(3 * 1024 ** 3);
    const context = await contextFor(disk, content, addHomes);
    const first = await stepsOn(disk, layout(''));
    expect(first.map(({ kind }) => kind).slice(0, 2)).toEqual(['wipe-disk', 'partition-disk']);
    await install(context, first);
    const before = await table(disk);
    expect(Object.keys(before)).toEqual(['BIOS boot', 'EFI system', 'Imprint boot', 'root', 'home', 'data']);
    await within(disk, 5, async (home) => expect(await text(home, 'admin/notes')).toBe('of the image\n'));
    const fstab = await within(disk, 4, async (root) => {
      expect(await text(root, 'home/admin/notes')).toBeUndefined();
      return (await text(root, 'etc/fstab')) ?? '';
    });
    expect(fstab).toMatch(/^UUID=\S+\t\/home\text4\tdefaults\t0 2$/m);
    const data = /^UUID=(\S+)\t\/srv\/data\text4\tnofail\t0 2$/m.exec(fstab)?.[1];
    expect((await run('blkid', ['-p', '-o', 'value', '-s', 'UUID', `${disk.device}p6`])).stdout.trim()).toBe(data);
    await within(disk, 6, async (root) => {
      expect(await text(root, 'seed')).toBe('of the image\n');
      await writeFile(join(root, 'precious'), 'of the machine\n');
    });
    const kept = await bytesOf(`${disk.device}p6`);

    // The next has a swap partition, too: all others move.
    const second = layout('      - { name: swap, role: swap, size: 128M }\n');
    const planned = await planOn(disk, second);
    if (planned.kind === 'refused') throw planned.error;
    expect(planned.steps.slice(0, 2).map(describeStep)).toEqual([
      `erase ${[1, 2, 3, 4, 5].map((number) => `${disk.device}p${number}`).join(', ')}; ${disk.device}p6 stays`,
      expect.stringMatching(/^partition .*: bios-boot 1 MiB, esp .*, data 96 MiB \(stays\)$/),
    ]);
    expect(planned.lost.map(({ path }) => path)).not.toContain(`${disk.device}p6`);
    for (const last of [
      'clear-partitions',
      'change-partitions',
      'make-root',
      'restore',
      'write-boot-partition',
    ] as const) {
      await install(context, await stepsOn(disk, second), last);
      expect(await bytesOf(`${disk.device}p6`), last).toBe(kept);
      await using handle = await open(disk.device, 'r');
      const { buffer } = await handle.read(Buffer.alloc(440), 0, 440, 0);
      expect(
        buffer.every((byte) => byte === 0),
        `${last} leaves no boot code`,
      ).toBe(true);
    }
    await install(context, await stepsOn(disk, second));
    expect(await bytesOf(`${disk.device}p6`)).toBe(kept);
    const after = await table(disk);
    expect(after.data).toEqual(before.data);
    expect(Object.keys(after)).toEqual(
      ['BIOS boot', 'EFI system', 'Imprint boot', 'root', 'swap', 'home', 'data'].sort(
        (left, right) => numberIn(after, left) - numberIn(after, right),
      ),
    );
    expect((await run('sfdisk', ['--verify', disk.device])).stdout).toMatch(/No errors detected/);
    const root = numberIn(after, 'root');
    await within(disk, root, async (mounted) => {
      expect(await text(mounted, 'etc/fstab')).toContain(`UUID=${data}\t/srv/data\text4\tnofail`);
      expect(await text(mounted, 'etc/fstab')).toMatch(/\tnone\tswap\tsw/);
    });
    await within(disk, 6, async (mounted) => expect(await text(mounted, 'precious')).toBe('of the machine\n'));
  });

  it('lays out an MBR with logical partitions, and keeps one of them', async () => {
    await using disk = await loopDisk(3 * 1024 ** 3);
    const context = await contextFor(disk, content, addHomes);
    const swap = '      - { name: swap, role: swap, size: 64M }\n';
    await install(context, await stepsOn(disk, layout(swap).replace('erase:', 'table: mbr\n    erase:')));
    const { partitiontable } = JSON.parse((await run('sfdisk', ['--json', disk.device])).stdout);
    const numbers = partitiontable.partitions.map(
      ({ node, type }: { node: string; type: string }) => `${node.replace(/^.*p/, '')}:${type}`,
    );
    expect([partitiontable.label, ...numbers]).toEqual(['dos', '1:ef', '2:83', '3:83', '4:f', '5:82', '6:83', '7:83']);
    const sector = async () => {
      await using handle = await open(disk.device, 'r');
      return (await handle.read(Buffer.alloc(1024), 0, 1024, 0)).buffer;
    };
    const first = await sector();
    // The boot code knows where GRUB's core lies: in the gap, right behind this sector.
    expect(Number(first.readBigUInt64LE(0x5c))).toBe(1);
    expect(first.subarray(512).some((byte) => byte !== 0)).toBe(true);
    const menu = await run('grub-fstest', [disk.file, 'cat', '(loop0,msdos2)/grub/grub.cfg']);
    expect(menu.stdout).toContain('imprint');
    await within(disk, 7, (root) => writeFile(join(root, 'precious'), 'of the machine\n'));
    const kept = await bytesOf(`${disk.device}p7`);
    // Without the swap what is kept moves up in the chain; its number is another, its place is not. The table is an MBR because it stays.
    const again = await stepsOn(disk, layout(''));
    expect(again.map(({ kind }) => kind).slice(0, 2)).toEqual(['clear-partitions', 'change-partitions']);
    await install(context, again);
    expect(await bytesOf(`${disk.device}p5`)).toBe(kept);
    await within(disk, 5, async (root) => expect(await text(root, 'precious')).toBe('of the machine\n'));
    expect((await sector()).subarray(440, 446)).toEqual(first.subarray(440, 446));
  });

  it('puts data on a second disk, and does not touch that again', async () => {
    await using disk = await loopDisk(2 * 1024 ** 3);
    await using other = await loopDisk(1024 ** 3);
    const context = await contextFor(disk, content, addHomes);
    const yaml = `disks:
  - { name: d, erase: [linux], partitions: [{ name: bios, role: bios-boot }, { name: esp, role: esp }, { name: boot, role: boot }, { name: root, role: root }] }
  - name: e
    match: ${other.device}
    partitions:
      - { name: archive, role: data, weight: 3, keep: true, fileSystem: { type: xfs, label: archive, mount: /srv/data, options: nofail } }
      - { name: home, role: home, keep: true, fileSystem: { type: ext4, label: home } }
`;
    await install(context, await stepsOn(disk, yaml, other));
    const names = Object.keys(await table(other));
    expect(names).toEqual(['archive', 'home']);
    await within(other, 1, async (root) => expect(await text(root, 'seed')).toBe('of the image\n'));
    await within(other, 2, (root) => writeFile(join(root, 'precious'), 'of the machine\n'));
    const before = [JSON.stringify(await table(other)), await bytesOf(other.device)];
    const again = await stepsOn(disk, yaml, other);
    expect(again.filter((step) => 'disk' in step && step.disk === other.device)).toEqual([]);
    await install(context, again);
    expect([JSON.stringify(await table(other)), await bytesOf(other.device)]).toEqual(before);
    await within(disk, 4, async (root) => {
      const fstab = (await text(root, 'etc/fstab')) ?? '';
      expect(fstab).toMatch(/^UUID=\S+\t\/srv\/data\txfs\tnofail\t0 0$/m);
      expect(fstab).toMatch(/^UUID=\S+\t\/home\text4\tdefaults\t0 2$/m);
    });
  });

  it('writes to none of several disks while another is in use', async () => {
    await using disk = await loopDisk(2 * 1024 ** 3);
    await using other = await loopDisk(1024 ** 3);
    const context = await contextFor(disk, content, addHomes);
    const yaml = `disks:
  - { name: d, erase: [linux], partitions: [{ name: bios, role: bios-boot }, { name: esp, role: esp }, { name: boot, role: boot }, { name: root, role: root }] }
  - { name: e, match: ${other.device}, partitions: [{ name: home, role: home }] }
`;
    const steps = await stepsOn(disk, yaml, other);
    expect(steps.flatMap((step) => (step.kind === 'wipe-disk' ? [step.disk] : []))).toEqual([
      disk.device,
      other.device,
    ]);
    const marked = Buffer.alloc(512, 7);
    await using handle = await open(disk.device, 'r+');
    await handle.write(marked, 0, 512, 0);
    await handle.sync();
    {
      await using _held = await open(other.device, constants.O_RDONLY | constants.O_EXCL);
      const attempt = Task.run(
        'install',
        () => {},
        (task) => executeInstall('web01', steps, context, task),
      );
      await expect(attempt).rejects.toMatchObject({ code: 'disk-in-use', details: { disk: other.device } });
    }
    const { buffer } = await handle.read(Buffer.alloc(512), 0, 512, 0);
    expect(buffer.equals(marked)).toBe(true);
  });

  it('touches nothing where the layout cannot be had', async () => {
    await using disk = await loopDisk(2 * 1024 ** 3);
    await run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', disk.device], {
      input:
        'label: gpt\nstart=2048, size=1048576, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7, name="Basic data partition"\nsize=196608\n',
    });
    await run('partx', ['--add', disk.device], { accept: [0, 1] });
    await run('mkfs.ext4', ['-q', '-F', '-L', 'DATA', `${disk.device}p2`]);
    const looked = async () => [
      (await run('sfdisk', ['--dump', disk.device])).stdout,
      await bytesOf(`${disk.device}p2`),
    ];
    const before = await looked();
    const refusal = async (yaml: string) => {
      const plan = await planOn(disk, yaml);
      return plan.kind === 'refused' ? `${plan.error.code}: ${plan.error.message}` : 'planned';
    };
    // What could be the data under another name, a partition of Windows beside, and what installs cannot make yet.
    expect(await refusal(layout(''))).toMatch(
      /^layout-unsolvable: .*nothing on .* is called “data”.*p2 \(ext4 “DATA”, 96 MiB\)/,
    );
    expect(await refusal(layout('').replace('keep: true', 'keep: label=DATA'))).toMatch(
      /^layout-unsolvable: .*another system beside this one \(partition 1/,
    );
    expect(
      await refusal(
        layout('')
          .replace('role: home, size: 256M, fileSystem: { type: ext4, label: home, make: -m 0 }', 'size: 256M')
          .concat('crypts: [{ name: c, device: home, role: home, unlock: tpm2 }]\n'),
      ),
    ).toMatch(/^layout-unsolvable: .*encrypted devices that a TPM opens/);
    expect(await refusal(`${layout('')}junk: 1\n`)).toMatch(/^layout-invalid: own\.yaml:\d+:1: there is no “junk”/);
    expect(await looked()).toEqual(before);
  });
});

function numberIn(partitions: Record<string, object>, name: string): number {
  return Number(/(\d+)$/.exec((partitions[name] as { node?: string })?.node ?? '')?.[1] ?? 0);
}
