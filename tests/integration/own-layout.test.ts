import { hash } from 'node:crypto';
import { constants, mkdir, open, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { executeInstall } from '../../src/operations/install/execute-install.ts';
import { freshIdentity } from '../../src/operations/install/fresh-identity.ts';
import type { InstallContext } from '../../src/operations/install/install-context.ts';
import { type InstallPlan, planInstall } from '../../src/planning/plan-install.ts';
import { describeStep, type Step, type StepKind } from '../../src/planning/step.ts';
import { readMachineFacts } from '../../src/system/machine-facts.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { imageContent, versionRecord } from '../version-record.ts';
import { contextFor } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const { run } = systemProcesses;
const isRoot = process.getuid?.() === 0;
const content = imageContent({
  kernels: [{ version: '6.1.0-10-amd64', kernel: 'vmlinuz-6.1.0-10-amd64', initrd: 'initrd.img-6.1.0-10-amd64' }],
  // Making keys is what takes long.
  sshServer: false,
});

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

async function planOn(disk: LoopDisk, text: string, other?: LoopDisk): Promise<InstallPlan> {
  return planInstall({
    name: 'web01',
    facts: await readMachineFacts(systemProcesses, other === undefined ? [disk.device] : [disk.device, other.device]),
    reference: 'web:3',
    record: versionRecord({ number: 3 }),
    content,
    options: { layout: 'own', own: { name: 'own.yaml', text }, disk: disk.device },
    fresh: freshIdentity(),
  });
}

/** This machine, as if it had these disks alone. */
async function factsOf(disks: readonly LoopDisk[]) {
  const paths = disks.map(({ device }) => device);
  const facts = await readMachineFacts(systemProcesses, paths);
  return { ...facts, disks: facts.disks.filter(({ path }) => paths.includes(path)) };
}

async function stepsOn(disk: LoopDisk, text: string, other?: LoopDisk): Promise<Step[]> {
  const plan = await planOn(disk, text, other);
  if (plan.kind === 'refused') throw plan.error;
  return plan.steps;
}

async function addHomes(golden: string): Promise<void> {
  await mkdir(join(golden, 'home/admin'), { recursive: true });
  await writeFile(join(golden, 'home/admin/notes'), 'of the image\n');
  await mkdir(join(golden, 'srv/data'), { recursive: true });
  await writeFile(join(golden, 'srv/data/seed'), 'of the image\n');
}

/** Until the step of that kind is done; all of them where none is named. */
async function install(context: InstallContext, steps: readonly Step[], last?: StepKind): Promise<void> {
  const end = last === undefined ? steps.length : steps.findIndex(({ kind }) => kind === last) + 1;
  const attempt = () =>
    Task.run(
      'install',
      () => {},
      (task) => executeInstall('web01', steps.slice(0, end), context, task),
    );
  // Somebody who made a mount namespace while ours were mounted holds the disk until it ends.
  await until(() =>
    attempt().then(
      () => true,
      (error) =>
        error.code === 'disk-in-use' || /the kernel holds the disk/.test(error.message) ? false : Promise.reject(error),
    ),
  );
}

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let second = 0; !(await done()); second += 1) {
    if (second === 60) throw new Error('the disk stays in use');
    await systemClock.sleep(1000);
  }
}

async function table(disk: LoopDisk): Promise<Record<string, object>> {
  const { partitiontable } = JSON.parse((await run('sfdisk', ['--json', disk.device])).stdout);
  return Object.fromEntries(partitiontable.partitions.map((each: { name: string }) => [each.name, each]));
}

/** Works on what is in a partition. */
async function within<Result>(
  disk: LoopDisk,
  number: number,
  work: (root: string) => Promise<Result>,
): Promise<Result> {
  const directory = join(disk.directory, 'looked-at');
  await mkdir(directory, { recursive: true });
  await run('mount', [`${disk.device}p${number}`, directory]);
  try {
    return await work(directory);
  } finally {
    await run('umount', [directory]);
  }
}

async function bytesOf(device: string): Promise<string> {
  return hash('sha256', await readFile(device));
}

const text = (root: string, path: string) => readFile(join(root, path), 'utf8').catch(() => undefined);

describe.skipIf(!isRoot)('an install by a layout of one’s own', { timeout: 120_000 }, () => {
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

  it('lays a root and what is mounted below it into subvolumes, with swap in a file and in memory', async () => {
    await using disk = await loopDisk(3 * 1024 ** 3);
    const context = await contextFor(disk, content, addHomes);
    const yaml = `disks:
  - name: d
    erase: [linux]
    partitions:
      - { name: bios, role: bios-boot }
      - { name: esp, role: esp }
      - { name: boot, role: boot }
      - name: root
        role: root
        fileSystem:
          type: btrfs
          options: noatime
          subvolumes: [{ name: '@home', mount: /home }, { name: '@', mount: / }, { name: '@/snapshots' }]
swap: [{ file: /var/swapfile, size: 64M }, { zram: true, size: 50% }, { zram: true, size: 64M }]
`;
    const steps = await stepsOn(disk, yaml);
    // A second time, as after a cut.
    await install(context, steps, 'make-swap-file');
    await install(context, steps);
    await within(disk, 4, async (top) => {
      const { stdout } = await run('btrfs', ['subvolume', 'list', top]);
      expect(stdout.match(/path \S+/g)?.sort()).toEqual(['path @', 'path @/snapshots', 'path @home']);
      expect(await text(top, '@home/admin/notes')).toBe('of the image\n');
      const fstab = (await text(top, '@/etc/fstab')) ?? '';
      const uuid = /^UUID=(\S+)\t\/\t/m.exec(fstab)?.[1];
      expect(fstab).toMatch(/^UUID=\S+\t\/\tbtrfs\t\S*subvol=@\t0 0$/m);
      expect(fstab).toContain(`UUID=${uuid}\t/home\tbtrfs\tnoatime,subvol=@home\t0 0`);
      expect(fstab).toContain('/var/swapfile\tnone\tswap\tsw\t0 0');
      const path = join(top, '@/var/swapfile');
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect((await stat(path)).size).toBe(64 * 1024 ** 2);
      expect((await run('lsattr', [path])).stdout).toMatch(/^\S*C/);
      expect((await run('blkid', ['-p', '-o', 'value', '-s', 'TYPE', path])).stdout.trim()).toBe('swap');
      const script = join(top, '@/etc/imprint/zram.sh');
      await run('sh', ['-n', script]);
      expect(await text(top, '@/etc/imprint/zram.sh')).toContain(`for size in 50% ${64 * 1024 ** 2}; do`);
      const wanted = join(top, '@/etc/systemd/system/multi-user.target.wants/imprint-zram.service');
      expect(await readlink(wanted)).toBe('/etc/systemd/system/imprint-zram.service');
    });
    const { stdout } = await run('grub-fstest', [disk.file, 'ls', '(loop0,gpt3)/slots/']);
    const [entry] = stdout.trim().split(/\s+/);
    const config = await run('grub-fstest', [
      disk.file,
      'cat',
      `(loop0,gpt3)/slots/${entry?.replace(/\/$/, '')}/entry.cfg`,
    ]);
    expect(config.stdout).toMatch(/root=UUID=\S+ 'rootflags=subvol=@'|root=UUID=\S+ rootflags=subvol=@/);
  });

  it('has each of two disks start the machine, whose root lies on a third', async () => {
    await using one = await loopDisk(1024 ** 3);
    await using two = await loopDisk(1024 ** 3);
    await using large = await loopDisk(2 * 1024 ** 3);
    const context = await contextFor(large, content, addHomes);
    const yaml = `disks:
  - { name: b, count: 2, match: 'size<=1G', erase: all, partitions: [{ name: bios, role: bios-boot }, { name: esp, role: esp }, { name: boot, role: boot }] }
  - { name: d, match: only, erase: all, partitions: [{ name: root, role: root }] }
`;
    const plan = planInstall({
      name: 'web01',
      facts: await factsOf([one, two, large]),
      reference: 'web:3',
      record: versionRecord({ number: 3 }),
      content,
      options: { layout: 'own', own: { name: 'own.yaml', text: yaml } },
      fresh: freshIdentity(),
    });
    if (plan.kind === 'refused') throw plan.error;
    await install(context, plan.steps);
    const cat = async (disk: LoopDisk, path: string) =>
      (await run('grub-fstest', [disk.file, 'cat', `(loop0,gpt3)${path}`])).stdout;
    const uuids = await Promise.all(
      [one, two].map(async (disk) => {
        const config = await cat(disk, '/grub/grub.cfg');
        const own = (await run('blkid', ['-p', '-o', 'value', '-s', 'UUID', `${disk.device}p3`])).stdout.trim();
        expect(config).toContain(`set imprint_uuid=${own}`);
        return own;
      }),
    );
    expect(new Set(uuids).size).toBe(2);
    expect(await cat(one, '/imprint/a.env')).toBe(await cat(two, '/imprint/a.env'));
    expect(JSON.parse(await cat(two, '/imprint/layout.json'))).toMatchObject({ boots: uuids });
    for (const disk of [one, two]) {
      await using handle = await open(disk.device, 'r');
      const { buffer } = await handle.read(Buffer.alloc(440), 0, 440, 0);
      expect(buffer.some((byte) => byte !== 0)).toBe(true);
    }
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
