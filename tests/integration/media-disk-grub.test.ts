import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ImagerRecord } from '../../src/machine/imager-record.ts';
import { stageImagerByGrub, unstageImagerByGrub } from '../../src/operations/media/imager-by-grub.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type LoopDisk, loopDisk, onDisk } from './loop-disk.ts';

/** The lines of Debian's `grub.cfg` that concern us, as `grub-mkconfig` writes them. */
const debian = {
  head: [
    'if [ -s $prefix/grubenv ]; then',
    '  set have_grubenv=true',
    '  load_env',
    'fi',
    'if [ "${next_entry}" ] ; then',
    '   set default="${next_entry}"',
    '   set next_entry=',
    '   save_env next_entry',
    '   set boot_once=true',
    'else',
    '   set default="0"',
    'fi',
  ],
  foot: ['if [ -f $prefix/custom.cfg ]; then', '  source $prefix/custom.cfg', 'fi'],
};
const own = "menuentry 'theirs' --id theirs { true; }\n";
const start = { server: 'http://10.0.0.1:4280', patience: 900, commandLine: 'root=/dev/sda1 console=ttyS0,115200' };
const record: ImagerRecord = {
  ...{ format: 1, kind: 'imager', key: '0123456789ABCDEF', kernel: '6.1.0-imager', suite: 'bookworm' },
  files: { vmlinuz: '0'.repeat(64), initrd: '1'.repeat(64) },
};
const imager = { record, vmlinuz: Buffer.alloc(300_000, 'kernel'), initrd: Buffer.alloc(900_000, 'initrd') };

it('has the GRUB of another distribution start the imager once, by the choice that it forgets', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  await makeForeign(disk, debian.head);
  await onDisk(disk, (root) => stageImagerByGrub(place(root), start, async () => imager));
  expect(await grubDoes(disk, debian.head)).toEqual([
    'default imprint-imager fallback 0',
    'linux /boot/grub/imprint-imager/vmlinuz imprint.server=http://10.0.0.1:4280 imprint.return=900 on hd0',
    'initrd /boot/grub/imprint-imager/initrd.img on hd0',
  ]);
  for (const name of ['vmlinuz', 'initrd.img']) {
    const words = [disk.device, 'crc', `(loop0)/boot/grub/imprint-imager/${name}`];
    expect((await systemProcesses.run('grub-fstest', words)).stdout.trim()).not.toBe('');
  }
  // Whatever became of it: the next start is one like any other.
  expect(await grubDoes(disk, debian.head)).toEqual(['default 0 fallback ']);
});

it('starts nothing where GRUB cannot forget the choice', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  await makeForeign(disk, debian.head);
  await onDisk(disk, (root) => stageImagerByGrub(place(root), start, async () => imager));
  // As on a file system that GRUB reads, and does not write.
  const dumb = debian.head.filter((line) => !line.includes('save_env'));
  for (let boots = 0; boots < 2; boots += 1) {
    const said = await grubDoes(disk, dumb);
    expect(said).toEqual(['default imprint-imager fallback 0']);
  }
});

it('takes it back, leaves what others wrote, and refuses a GRUB that it cannot rely on', async () => {
  await using disk = await loopDisk(64 * 1024 ** 2);
  await makeForeign(disk, debian.head);
  await onDisk(disk, async (root) => {
    const custom = join(root, 'boot/grub/custom.cfg');
    expect(await unstageImagerByGrub(place(root))).toBe(false);
    await stageImagerByGrub(place(root), start, async () => imager);
    await stageImagerByGrub(place(root), start, async () => imager);
    expect((await readFile(custom, 'utf8')).match(/--id imprint-imager/g)).toHaveLength(1);
    expect(await unstageImagerByGrub(place(root))).toBe(true);
    expect(await readFile(custom, 'utf8')).toBe(own);
    await expect(readFile(join(root, 'boot/grub/imprint-imager/vmlinuz'))).rejects.toThrow('ENOENT');
    const tooLarge = { ...imager, initrd: Buffer.alloc(100 * 1024 ** 2) };
    await expect(stageImagerByGrub(place(root), start, async () => tooLarge)).rejects.toMatchObject({
      code: 'disk-full',
    });
    expect(await readFile(custom, 'utf8')).toBe(own);
    await writeFile(join(root, 'boot/grub/grub.cfg'), debian.foot.join('\n'));
    const refused = stageImagerByGrub(place(root), start, () => Promise.reject(new Error('it was fetched')));
    await expect(refused).rejects.toMatchObject({ code: 'grub-unfit' });
  });
  expect(await grubDoes(disk, debian.head)).toEqual(['default 0 fallback ']);
});

function place(root: string) {
  return { processes: systemProcesses, root };
}

/** A file system with `/boot/grub` as a distribution leaves it. */
async function makeForeign(disk: LoopDisk, head: readonly string[]): Promise<void> {
  await systemProcesses.run('mke2fs', ['-q', '-F', '-t', 'ext4', disk.device]);
  await onDisk(disk, async (root) => {
    const grub = join(root, 'boot/grub');
    await mkdir(grub, { recursive: true });
    await writeFile(join(grub, 'grub.cfg'), [...head, ...debian.foot, ''].join('\n'));
    await writeFile(join(grub, 'custom.cfg'), own);
    await systemProcesses.run('grub-editenv', [join(grub, 'grubenv'), 'create']);
  });
}

/** What GRUB does with the disk, told by itself: the same GRUB as a program of this machine. It writes to the disk. */
async function grubDoes(disk: LoopDisk, head: readonly string[]): Promise<string[]> {
  const custom = await onDisk(disk, (root) => readFile(join(root, 'boot/grub/custom.cfg'), 'utf8').catch(() => ''));
  const directory = join(disk.directory, 'emulator');
  await mkdir(directory, { recursive: true });
  await writeFile(join(disk.directory, 'device.map'), `(hd0) ${disk.file}\n`);
  const script = [
    'for module in ext2 search test loadenv echo sleep; do insmod $module; done',
    ...['linux', 'initrd'].map((name) => `function ${name} { echo "DOES ${name} $1 $2 $3 on $root END"; }`),
    'set prefix=(hd0)/boot/grub',
    ...head,
    custom.replaceAll(
      /menuentry .* --id (\S+).* \{/g,
      (_, id: string) => `function entry_${id.replaceAll('-', '_')} {`,
    ),
    'echo "DOES default $default fallback $fallback END"',
    'if [ "$default" = imprint-imager ]; then entry_imprint_imager; fi',
    'exit',
  ];
  await writeFile(join(directory, 'grub.cfg'), script.join('\n'));
  const options = { timeout: 60_000, env: { TERM: 'dumb' } };
  const words = ['-m', join(disk.directory, 'device.map'), '-d', directory];
  const { stdout } = await systemProcesses.run('grub-emu', words, options);
  await systemProcesses.run('blockdev', ['--flushbufs', disk.device]);
  const told = stdout.replaceAll(/\s*[\r\n]\s*/g, '\n').matchAll(/DOES (.*?) END/gs);
  return [...told].map((match) => (match[1] ?? '').replaceAll(/\s+/g, ' ').replace(/ +on/, ' on'));
}
