import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Task } from '../../src/foundation/task.ts';
import { executeInstall } from '../../src/operations/install/execute-install.ts';
import { freshIdentity } from '../../src/operations/install/fresh-identity.ts';
import { planInstall } from '../../src/planning/plan-install.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { readMachineFacts } from '../../src/system/machine-facts.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { imageContent, versionRecord } from '../version-record.ts';
import { contextFor } from './install-tree.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const { run } = systemProcesses;
const content = imageContent({
  kernels: [{ version: '6.1.0-10-amd64', kernel: 'vmlinuz-6.1.0-10-amd64', initrd: 'initrd.img-6.1.0-10-amd64' }],
  // Making keys is what takes long.
  sshServer: false,
});

async function addHomes(golden: string): Promise<void> {
  await mkdir(join(golden, 'home/admin'), { recursive: true });
  await writeFile(join(golden, 'home/admin/notes'), 'of the image\n');
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

describe.skipIf(process.getuid?.() !== 0)('an install for several systems', { timeout: 300_000 }, () => {
  it('makes what they share, and tells every system of it', async () => {
    await using disk = await loopDisk(8 * 1024 ** 3);
    const context = await contextFor(disk, content, addHomes);
    const plan = planInstall({
      name: 'web01',
      facts: await readMachineFacts(systemProcesses, [disk.device]),
      reference: 'web:3',
      record: versionRecord({ number: 3 }),
      content,
      options: { layout: 'multi', slots: 3, home: 'share', swap: 64 * 1024 ** 2, disk: disk.device },
      fresh: freshIdentity(),
    });
    if (plan.kind === 'refused') throw plan.error;
    await executeInstall('web01', plan.steps, context, Task.silent());
    const { stdout } = await run('sfdisk', ['--json', disk.device]);
    const names = JSON.parse(stdout).partitiontable.partitions.map(({ name }: { name: string }) => name);
    expect(names.slice(4)).toEqual(['system a', 'system b', 'system c', 'share']);
    await within(disk, 8, async (share) => {
      expect((await readdir(share)).sort()).toEqual(['home', 'lost+found', 'tmp', 'var']);
      for (const path of ['tmp', 'var/tmp']) expect((await stat(join(share, path))).mode & 0o7777).toBe(0o1777);
      // What the image has there is everybody's.
      expect(await readFile(join(share, 'home/admin/notes'), 'utf8')).toBe('of the image\n');
    });
    const fstab = await within(disk, 5, async (root) => {
      expect(await readdir(join(root, 'home'))).toEqual([]);
      for (const path of ['share', 'tmp', 'var/tmp']) expect((await stat(join(root, path))).isDirectory()).toBe(true);
      return readFile(join(root, 'etc/fstab'), 'utf8');
    });
    const share = /^UUID=(\S+)\t\/share\text4\tdefaults\t0 2$/m.exec(fstab)?.[1];
    expect((await run('blkid', ['-p', '-o', 'value', '-s', 'UUID', `${disk.device}p8`])).stdout.trim()).toBe(share);
    for (const path of ['/tmp', '/var/tmp', '/home']) {
      expect(fstab).toMatch(new RegExp(`^/share${path}\t${path}\tnone\tbind,.*requires-mounts-for=/share${path}`, 'm'));
    }
    expect(fstab.match(/\tswap\t/g)).toHaveLength(1);
    await using boot = await BootPartition.open(systemProcesses, `${disk.device}p3`, { readOnly: true });
    const layout = await boot.layout();
    expect(layout.layout).toBe('slots');
    expect(layout.slots.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(layout.shared?.map(({ mount }) => mount)).toEqual(['/tmp', '/var/tmp', '/home']);
  });
});
