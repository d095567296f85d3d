import { open, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { freshIdentity } from '../../src/operations/install/fresh-identity.ts';
import { planInstall } from '../../src/planning/plan-install.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { versionRecord } from '../version-record.ts';
import { contextFor } from './install-tree.ts';
import { addHomes, content, factsOf, install, stepsOn, text, within } from './layout-install.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const { run } = systemProcesses;

describe.skipIf(process.getuid?.() !== 0)(
  'an install by a layout of more than partitions on one disk',
  { timeout: 120_000 },
  () => {
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
  },
);
