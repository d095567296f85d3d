import { copyFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { prepareMenu } from '../../src/operations/boot/make-menu.ts';
import { BootPartition } from '../../src/system/boot-partition.ts';
import { makeBootPartition } from '../../src/system/make-boot-partition.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { mebibyte, run, write } from './boot-disk-image.ts';
import { type LoopDisk, loopDisk } from './loop-disk.ts';

const boot = '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7a01';
const slot = '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7a02';
const place = (mib: number) => mib * 2048;

/** Imprint's partitions, a slot of its own, a Linux of somebody else, and a boot record that stands for Windows. */
async function machine(): Promise<LoopDisk & { mountAt: string }> {
  const disk = await loopDisk(128 * mebibyte);
  const mountAt = join(disk.directory, 'mounted');
  try {
    await fill(disk, mountAt);
    return { ...disk, mountAt };
  } catch (thrown) {
    await disk[Symbol.asyncDispose]();
    throw thrown;
  }
}

async function fill({ device, directory }: LoopDisk, mountAt: string): Promise<void> {
  const script = [
    'label: gpt',
    `start=${place(1)}, size=${place(1)}, type=21686148-6449-6E6F-744E-656564454649`,
    `start=${place(2)}, size=${place(8)}, type=U`,
    `start=${place(10)}, size=${place(64)}, type=L`,
    `start=${place(74)}, size=${place(16)}, type=L`,
    `start=${place(90)}, size=${place(16)}, type=L`,
    `start=${place(106)}, size=${place(4)}, type=L, uuid=11111111-2222-3333-4444-555555555555`,
  ];
  run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', device], `${script.join('\n')}\n`);
  run('partx', ['--add', device]);
  run('mformat', ['-i', `${device}p2`, '-T', String(place(8)), '-N', 'CAFE1234', '::']);
  for (const path of ['EFI', 'EFI/debian', 'EFI/Microsoft', 'EFI/Microsoft/Boot'])
    run('mmd', ['-i', `${device}p2`, `::/${path}`]);
  run('mcopy', ['-i', `${device}p2`, '-', '::/EFI/debian/grubx64.efi'], 'MZ');
  run('mcopy', ['-i', `${device}p2`, '-', '::/EFI/Microsoft/Boot/bootmgfw.efi'], 'MZ');
  const release = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n';
  const files = { 'etc/os-release': release, 'boot/grub/grub.cfg': 'echo', 'boot/grub/i386-pc/core.img': 'core' };
  makeTree(directory, `${device}p4`, slot, files);
  makeTree(directory, `${device}p5`, '5b1c3d5e-8f0a-4d8e-9c39-2d9c1f6b7a05', {
    ...files,
    'boot/memtest86+x64.bin': 'm',
  });
  const record = Buffer.alloc(512, 0x90);
  record.writeUInt16LE(0xaa55, 510);
  await write(`${device}p6`, 0, record);
  await makeBootPartition(systemProcesses, {
    ...{ device: `${device}p3`, uuid: boot, mountAt, timeout: 2 },
    layout: {
      ...{ format: 1, layout: 'slots', boot, esp: 'CAFE-1234' },
      slots: [{ name: 'a', uuid: slot, partitionUuid: slot, fileSystem: 'ext4' }],
    },
    entry: {
      id: 'a-1',
      slot: 'a',
      title: 'web:1',
      digest: `sha256:${'0'.repeat(64)}`,
      reference: 'web:1',
      kernelVersion: '6.1',
      kernelOptions: [],
      created: '2026-01-01T00:00:00Z',
    },
    files: { vmlinuz: Buffer.from('kernel') },
  });
}

function makeTree(work: string, device: string, uuid: string, files: Readonly<Record<string, string>>): void {
  const tree = join(work, 'tree');
  for (const [path, content] of Object.entries(files)) {
    run('mkdir', ['-p', join(tree, path, '..')]);
    writeFileSync(join(tree, path), content);
  }
  run('mke2fs', ['-q', '-F', '-t', 'ext4', '-U', uuid, '-d', tree, device]);
}

/**
 * What GRUB, as a program of this machine, does for each entry: stand-ins print what it would start, and from where. Entries become functions, which GRUB
 * would define in both branches of a condition: so only the platform's own branch is given to it.
 */
async function grubDoes(disk: LoopDisk, menu: string, platform: 'pc' | 'efi'): Promise<string[]> {
  const directory = join(disk.directory, `emu-${platform}`);
  await mkdir(directory);
  await writeFile(join(directory, 'device.map'), `(hd0) ${disk.file}\n`);
  const [functions = ''] = menu.split('if [ "x$grub_platform"');
  const comparison = platform === 'efi' ? '=' : '!=';
  const branch = menu.split(`if [ "x$grub_platform" ${comparison} xefi ]; then\n`)[1]?.split(/^fi$/m)[0] ?? '';
  const entries = [...branch.matchAll(/--id (\S+)/g)].map((match) => (match[1] ?? '').replaceAll('-', '_'));
  const commands = ['multiboot', 'chainloader', 'configfile', 'linux16', 'linux', 'drivemap'];
  const script = [
    'for module in part_gpt part_msdos ext2 fat search probe regexp test true echo; do insmod $module; done',
    ...commands.map((command) => `function ${command} { echo "DOES ${command} $1 on $root END"; }`),
    'function insmod { true; }',
    'function boot { true; }',
    functions,
    branch.replaceAll(
      /menuentry ('[^']*'|\S+) --id (\S+)( --unrestricted)? \{/g,
      (_, _title, id: string) => `function entry_${id.replaceAll('-', '_')} {`,
    ),
    ...entries.flatMap((entry) => [`echo "DOES ${entry} END"`, `entry_${entry}`]),
    'exit',
  ];
  await writeFile(join(directory, 'grub.cfg'), script.join('\n'));
  const options = { timeout: 60_000, env: { TERM: 'dumb' } };
  const { stdout } = await systemProcesses.run(
    'grub-emu',
    ['-m', join(directory, 'device.map'), '-d', directory],
    options,
  );
  return [...stdout.replaceAll(/\s+/g, ' ').matchAll(/DOES (.*?) END/g)].map((match) => match[1] ?? '');
}

it('puts what others installed into the menu, and GRUB starts each from its own partition', async () => {
  await using disk = await machine();
  const { device, mountAt } = disk;
  const context = { processes: systemProcesses, clock: systemClock, mountAt };
  const prepare = (input: Partial<Parameters<typeof prepareMenu>[1]>) =>
    prepareMenu(context, { disk: device, ...input }, Task.silent());
  const { output, text, write: writeMenu } = await prepare({ timeout: 10, password: 'secret', locked: ['record-6'] });
  expect(output.systems.map(({ id, bios = 'no', uefi = 'no' }) => `${id}: ${bios} | ${uefi}`)).toEqual([
    'debian-5: its own GRUB (/boot/grub/i386-pc/core.img) | /EFI/debian/grubx64.efi',
    'memtest-5: /boot/memtest86+x64.bin | no',
    'record-6: its boot record | no',
    'windows-2: no | /EFI/Microsoft/Boot/bootmgfw.efi',
  ]);
  expect(await writeMenu(Task.silent())).toMatchObject({ device: `${device}p3` });
  const seen = run('grub-fstest', [`${device}p3`, 'cat', '(loop0)/grub/systems.cfg']);
  expect(seen).toBe(text);
  expect(text).toMatch(/menuentry 'boot code of an unknown kind on partition 6' --id record-6 \{/);
  expect(run('grub-fstest', [`${device}p3`, 'cat', '(loop0)/grub/grub.cfg'])).toContain('/grub/systems.cfg');
  expect(await grubDoes(disk, text, 'pc')).toEqual([
    ...['debian_5', 'multiboot /boot/grub/i386-pc/core.img on hd0,gpt5'],
    ...['memtest_5', 'linux16 /boot/memtest86+x64.bin on hd0,gpt5'],
    ...['record_6', 'chainloader +1 on hd0,gpt6'],
  ]);
  expect(await grubDoes(disk, text, 'efi')).toEqual([
    ...['debian_5', 'chainloader /EFI/debian/grubx64.efi on hd0,gpt2'],
    ...['windows_2', 'chainloader /EFI/Microsoft/Boot/bootmgfw.efi on hd0,gpt2'],
  ]);
  // What is not said again stays.
  const again = await prepare({ default: 'debian-5' });
  expect(again.output).toMatchObject({ timeout: 10, password: true, locked: ['record-6'], default: 'debian-5' });
  await expect(prepare({ default: 'beos' })).rejects.toMatchObject({ code: 'boot-entry-unknown' });
  await expect(prepare({ password: '' })).rejects.toMatchObject({ code: 'input-invalid' });
});

/** What GRUB, as a program of this machine, starts by itself from the whole menu of a disk; stand-ins print it, and a hand-over that worked ends GRUB. */
async function grubStarts({ directory, file }: { directory: string; file: string }, menu: string): Promise<string> {
  const emulated = await mkdtemp(join(directory, 'emu-'));
  await writeFile(join(emulated, 'device.map'), `(hd0) ${file}\n`);
  const script = [
    'for module in part_gpt ext2 search probe regexp test true echo sleep reboot; do insmod $module; done',
    'set timeout=0',
    'set default=0',
    'function insmod { true; }',
    'function boot { true; }',
    'function multiboot { if [ -e "$1" ]; then echo "DOES $1 on $root END"; reboot; else false; fi; }',
    "menuentry ours --id imprint --unrestricted { echo 'DOES ours END'; reboot; }",
    menu,
  ];
  await writeFile(join(emulated, 'grub.cfg'), script.join('\n'));
  const options = { timeout: 60_000, env: { TERM: 'dumb' } };
  const args = ['-m', join(emulated, 'device.map'), '-d', emulated];
  const { stdout } = await systemProcesses.run('grub-emu', args, options);
  return /DOES (.*?) END/.exec(stdout.replaceAll(/\s+/g, ' '))?.[1] ?? stdout;
}

it('has GRUB start what Imprint boots where the default is there no more', async () => {
  await using disk = await machine();
  const { device, directory, mountAt } = disk;
  const context = { processes: systemProcesses, clock: systemClock, mountAt };
  const { text } = await prepareMenu(context, { disk: device, default: 'debian-5' }, Task.silent());
  run('blockdev', ['--flushbufs', device]);
  expect(await grubStarts(disk, text)).toBe('/boot/grub/i386-pc/core.img on hd0,gpt5');
  const without = join(directory, 'without.img');
  copyFileSync(disk.file, without);
  run('sfdisk', ['--quiet', '--delete', without, '5']);
  expect(await grubStarts({ directory, file: without }, text)).toBe('ours');
  // The partition is there, and the system in it is not.
  run('mke2fs', ['-q', '-F', '-t', 'ext4', `${device}p5`]);
  run('blockdev', ['--flushbufs', device]);
  expect(await grubStarts(disk, text)).toBe('ours');
});

it('has a grub.cfg of an earlier install show them, and looks into an image without a device', async () => {
  await using disk = await machine();
  const { device, mountAt } = disk;
  {
    await using partition = await BootPartition.open(systemProcesses, `${device}p3`, { mountAt });
    expect(await partition.systemsMenu()).toBe('');
    await writeFile(
      join(mountAt, 'grub/grub.cfg'),
      'menuentry "$imprint_label" --id imprint { imprint_start }\nimprint_menu\n',
    );
    await partition.writeSystemsMenu('# none\n');
    expect(await partition.systemsMenu()).toBe('# none\n');
  }
  const config = run('grub-fstest', [`${device}p3`, 'cat', '(loop0)/grub/grub.cfg']);
  expect(config).toMatch(
    /--id imprint --unrestricted \{ imprint_start \}\nimprint_menu\nif .*systems\.cfg.*\n.*source/,
  );
  const copy = `${disk.file}.copy`;
  copyFileSync(disk.file, copy);
  const context = { processes: systemProcesses, clock: systemClock };
  const prepared = await prepareMenu(context, { disk: copy }, Task.silent());
  expect(prepared.output.systems.map(({ id }) => id)).toContain('debian-5');
  await expect(prepared.write(Task.silent())).rejects.toThrow(/losetup --partscan/);
});
