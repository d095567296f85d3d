import { spawnSync } from 'node:child_process';
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BootPart } from '../../src/contract/boot-copy.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { checkBoot } from '../../src/operations/boot/check-boot.ts';
import { prepareRestore } from '../../src/operations/boot/restore-boot.ts';
import { saveBoot } from '../../src/operations/boot/save-boot.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { type BootImage, espFile, gptImage, mbrImage, mebibyte, read, run, write } from './boot-disk-image.ts';

const context = { processes: systemProcesses, clock: systemClock };
const task = () => Task.silent();

async function save(image: BootImage, disk = image.file): Promise<string> {
  const file = join(image.directory, 'copy.tar.gz');
  await saveBoot(context, { file, disk, force: true }, task());
  return file;
}

async function restore(file: string, disk: string, more: { parts?: BootPart[]; force?: boolean } = {}) {
  const input = { file, disk, force: more.force ?? false, ...(more.parts && { parts: more.parts }) };
  await using prepared = await prepareRestore(context, input, task());
  return await prepared.apply(task());
}

/** The code of what it fails with. */
async function refusal(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );
}

const differences = async (file: string, disk: string) =>
  (await checkBoot(context, { file, disk }, task())).differences?.map(({ what, how }) => `${what} ${how}`);

describe.each([
  ['GPT', gptImage, 2, 40],
  ['GPT with sectors of 4096 bytes', () => gptImage(4096, 8), 2, 8],
  ['MBR with logical partitions', mbrImage, 29, 8],
] as const)('a safety copy of a disk with %s', (_, make, esp, size) => {
  it('is as the disk is, and says that it boots', async () => {
    await using image = await make();
    const file = await save(image);
    const { found, differences: differing, problem } = await checkBoot(context, { file, disk: image.file }, task());
    expect(differing).toEqual([]);
    expect(problem).toBeUndefined();
    expect(found.filter(({ state }) => state === 'bad')).toEqual([]);
    expect(found.map(({ says }) => says).join('\n')).toMatch(/GRUB 2; its core lies in/);
  });

  it('brings back first sector, core and ESP after they were destroyed, byte for byte', async () => {
    await using image = await make();
    const file = await save(image);
    const before = await readFile(image.file);
    // All but what holds files that nobody but their owner has: the first 2 MiB, and the whole ESP.
    await write(image.file, 0, Buffer.alloc(mebibyte));
    await write(image.file, esp * mebibyte, Buffer.alloc(size * mebibyte));
    expect(await checkBoot(context, { disk: image.file }, task())).toMatchObject({ problem: expect.any(String) });
    const output = await restore(file, image.file);
    expect(output.left).toEqual([]);
    expect((await readFile(image.file)).equals(before)).toBe(true);
    expect(await differences(file, image.file)).toEqual([]);
    expect(run('sfdisk', ['--verify', image.file])).toMatch(/No errors detected|unallocated/);
    // Once more changes nothing, and keeps nothing.
    expect((await restore(file, image.file)).undo).toBeUndefined();
  });

  it('is undone by the copy that a restore keeps', async () => {
    await using image = await make();
    const file = await save(image);
    await write(image.file, 0, Buffer.alloc(440, 0xab));
    await write(image.file, esp * mebibyte, Buffer.alloc(mebibyte, 0xcd));
    const broken = await readFile(image.file);
    const { undo = '' } = await restore(file, image.file);
    await restore(undo, image.file, { force: true });
    expect((await readFile(image.file)).equals(broken)).toBe(true);
  });

  it('gives back lost files, leaves new ones, and replaces none of Windows', async () => {
    await using image = await make();
    const file = await save(image);
    const place = `${image.file}@@${esp}M`;
    run('mdel', ['-i', place, '::/EFI/debian/grubx64.efi']);
    run('mcopy', ['-o', '-i', place, '-', '::/EFI/BOOT/BOOTX64.EFI'], 'MZ broken');
    run('mcopy', ['-o', '-i', place, '-', '::/EFI/Microsoft/Boot/BCD'], 'newer');
    run('mcopy', ['-i', place, '-', '::/EFI/new.efi'], 'MZ new');
    const where = expect.stringMatching(/ESP, partition \d/);
    expect((await differences(file, image.file))?.length).toBe(4);
    const { left, steps } = await restore(file, image.file);
    expect(steps).toEqual([where]);
    expect(left).toEqual([expect.stringContaining('EFI/Microsoft')]);
    expect(espFile(image.file, esp, 'EFI/debian/grubx64.efi')).toBe('MZ grub');
    expect(espFile(image.file, esp, 'EFI/BOOT/BOOTX64.EFI')).toMatch(/^MZ fallback x{200000}$/);
    expect(espFile(image.file, esp, 'EFI/Microsoft/Boot/BCD')).toBe('newer');
    expect(espFile(image.file, esp, 'EFI/new.efi')).toBe('MZ new');
  });
});

describe('restoring', () => {
  it('writes nothing in a dry run, and keeps grubenv to look at', async () => {
    await using image = await gptImage(512, 8);
    const file = await save(image);
    expect(run('tar', ['xzOf', file, 'environments/3/boot/grub/grubenv'])).toContain('saved_entry=debian');
    await write(image.file, 0, Buffer.alloc(512));
    const before = await readFile(image.file);
    await using prepared = await prepareRestore(context, { file, disk: image.file, force: false }, task());
    expect(prepared.steps.length).toBeGreaterThan(0);
    expect(prepared.differences.map(({ what }) => what)).toContain('the boot code');
    expect((await readFile(image.file)).equals(before)).toBe(true);
    expect(await readdir(image.directory)).toEqual(['copy.tar.gz', 'disk.img']);
  });

  it('refuses another disk, a damaged copy, and what is none', async () => {
    await using image = await gptImage(512, 8);
    await using other = await gptImage(512, 8);
    const file = await save(image);
    expect(await refusal(restore(file, other.file))).toMatch(/^boot-copy-foreign: .*another partition table/);
    await using mbr = await mbrImage();
    expect(await refusal(restore(file, mbr.file))).toMatch(/^boot-copy-foreign/);
    const bytes = await readFile(file);
    const cut = join(image.directory, 'cut.tar.gz');
    await writeFile(cut, bytes.subarray(0, bytes.length - 200));
    expect(await refusal(restore(cut, image.file))).toMatch(/^boot-copy-invalid/);
    expect(await refusal(restore(image.file, image.file))).toMatch(/^boot-copy-invalid/);
    expect(await refusal(restore(join(image.directory, 'none'), image.file))).toMatch(/There is no file .*none/);
    expect(await refusal(restore(file, join(image.directory, 'none')))).toMatch(/^boot-disk-unknown/);
  });

  it('leaves a table that has changed, and puts the old one back only by name', async () => {
    await using image = await gptImage(512, 8);
    const file = await save(image);
    const was = await read(image.file, 0, mebibyte);
    run('sfdisk', ['--quiet', '--append', image.file], 'size=1M, type=L\n');
    await write(image.file, 0, Buffer.alloc(440));
    const { left } = await restore(file, image.file);
    expect(left.join()).toMatch(/partition 4 is new/);
    expect(run('sfdisk', ['--dump', image.file])).toContain('disk.img4');
    expect((await read(image.file, 0, 440)).equals(was.subarray(0, 440))).toBe(true);
    await restore(file, image.file, { parts: ['table'] });
    expect(run('sfdisk', ['--dump', image.file])).not.toContain('disk.img4');
  });

  it('does not write boot code into what became a partition', async () => {
    await using image = await mbrImage();
    const file = await save(image);
    run('sfdisk', ['--quiet', image.file], 'label: dos\nlabel-id: 0x1234abcd\nstart=64, size=70000, type=83\n');
    await write(image.file, 512, Buffer.alloc(512));
    const refused = refusal(restore(file, image.file, { parts: ['gap'] }));
    expect(await refused).toMatch(/^boot-restore-refused: .*reaches into partition 1/);
  });

  it('brings a broken chain of logical partitions back', async () => {
    await using image = await mbrImage();
    const file = await save(image);
    const before = await readFile(image.file);
    const second = JSON.parse(run('tar', ['xzOf', file, 'copy.json'])).areas.find(
      ({ name }: { name: string }) => name === 'logical-6',
    );
    await write(image.file, second.offset, Buffer.alloc(512));
    expect((await differences(file, image.file))?.join()).toMatch(
      /the record of logical partition 6 is nothing but zeros now/,
    );
    await restore(file, image.file);
    expect((await readFile(image.file)).equals(before)).toBe(true);
  });

  it('takes the backup of a GPT for whole, and mends the primary', async () => {
    await using image = await gptImage(512, 8);
    const file = await save(image);
    const before = await readFile(image.file);
    await write(image.file, 512, Buffer.alloc(34 * 512));
    const { found } = await checkBoot(context, { disk: image.file }, task());
    expect(found.map(({ says }) => says).join()).toMatch(/the partition table is gone; its backup is whole/);
    await restore(file, image.file);
    expect((await readFile(image.file)).equals(before)).toBe(true);
  });

  it('works on a device whose partitions the kernel has, and on no partition', async () => {
    await using image = await gptImage(512, 8);
    const device = run('losetup', ['--find', '--show', image.file]).trim();
    try {
      run('partx', ['--add', device]);
      const file = await save(image, device);
      const before = await readFile(image.file);
      expect(await refusal(save(image, `${device}p1`))).toMatch(
        new RegExp(`boot-disk-unknown.*name its disk: ${device}$|${device}\\.`),
      );
      await write(`${device}p2`, 0, Buffer.alloc(64 * 1024));
      await write(device, 0, Buffer.alloc(mebibyte));
      await restore(file, device);
      expect((await readFile(image.file)).equals(before)).toBe(true);
      expect(run('sfdisk', ['--verify', device])).toMatch(/No errors detected|unallocated/);
      expect(run('lsblk', ['--noheadings', '--list', '--output', 'NAME', device]).trim().split('\n').length).toBe(4);
      expect(espFile(device, 2, 'EFI/debian/grubx64.efi')).toBe('MZ grub');
    } finally {
      run('partx', ['--delete', device]);
      run('losetup', ['--detach', device]);
    }
  });

  it('speaks on the command line as it should: dry run, JSON, exit status', async () => {
    await using image = await gptImage(512, 8);
    const file = join(image.directory, 'copy.tar.gz');
    const imprint = (...words: string[]) =>
      spawnSync('./imprint', ['boot', ...words, '--disk', image.file], { encoding: 'utf8' });
    expect(imprint('save', file, '--dry-run').stdout).toContain('would keep');
    expect(JSON.parse(imprint('save', file, '--json').stdout)).toMatchObject({ file, parts: expect.any(Array) });
    expect(imprint('save', file).status).toBe(4);
    expect(imprint('check', file).status).toBe(0);
    await write(image.file, 0, Buffer.alloc(440));
    const check = imprint('check', file);
    expect(check).toMatchObject({
      status: 5,
      stdout: expect.stringContaining('the boot code was GRUB 2, and is gone'),
    });
    expect(imprint('restore', file)).toMatchObject({ status: 4, stderr: expect.stringContaining('needs a yes') });
    expect(imprint('restore', file, '--dry-run').stdout).toMatch(/would write:\n {2}1. write the boot code/);
    expect(imprint('restore', file, '--parts', 'codes')).toMatchObject({ status: 2 });
    expect(imprint('restore', file, '--yes').stdout).toContain('written and read back');
    expect(imprint('check', file).status).toBe(0);
  });

  it('keeps a copy of the machine’s boot variables, and gives lost ones back', async () => {
    await using image = await gptImage(512, 8);
    const variables = join(image.directory, 'efivars');
    const vendor = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
    run('mkdir', [variables]);
    const set = (name: string, hex: string) => writeFile(join(variables, `${name}-${vendor}`), Buffer.from(hex, 'hex'));
    await set('Boot0001', '0700000001000000');
    await set('Boot0002', '0700000002000000');
    await set('BootOrder', '0700000001000200');
    await set('Secret', '00');
    const own = { ...context, variables };
    const file = join(image.directory, 'copy.tar.gz');
    await saveBoot(own, { file, disk: image.file, force: true }, task());
    await rm(join(variables, `Boot0001-${vendor}`));
    await set('BootOrder', '0700000003000200');
    const input = { file, disk: image.file, force: false };
    {
      await using prepared = await prepareRestore(own, input, task());
      expect(prepared.steps).toEqual(['set the firmware’s Boot0001, BootOrder']);
      await prepared.apply(task());
    }
    expect((await readFile(join(variables, `BootOrder-${vendor}`))).toString('hex')).toBe('07000000010002000300');
    expect((await checkBoot(own, { file, disk: image.file }, task())).differences).toEqual([]);
    // Firmware that cannot be seen is left alone.
    await copyFile(image.file, `${image.file}.2`);
    await using prepared = await prepareRestore(context, { ...input, disk: `${image.file}.2` }, task());
    expect(prepared.left.join()).toMatch(/not started by UEFI/);
  });
});
