import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { contextFor } from './install-tree.ts';
import { addHomes, content, install, planFor, within } from './layout-install.ts';
import { loopDisk } from './loop-disk.ts';

const { run } = systemProcesses;
describe.skipIf(process.getuid?.() !== 0)('an install for several systems', { timeout: 300_000 }, () => {
  it('makes what they share, and tells every system of it', async () => {
    await using disk = await loopDisk(8 * 1024 ** 3);
    const context = await contextFor(disk, content, addHomes);
    const options = { layout: 'multi', slots: 3, home: 'share', swap: 64 * 1024 ** 2, disk: disk.device } as const;
    const plan = await planFor([disk], options);
    if (plan.kind === 'refused') throw plan.error;
    await install(context, plan.steps);
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
