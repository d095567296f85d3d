import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemProcesses } from '../../src/system/run.ts';

/** A disk image with all that boots, in a directory of its own. */
export interface BootImage extends AsyncDisposable {
  readonly directory: string;
  readonly file: string;
}

export const mebibyte = 2 ** 20;
/** Each step of a restore waits for the disk: in memory that costs nothing. */
const memory = '/dev/shm';
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, MTOOLS_SKIP_CHECK: '1' };

/** Runs a program for its effect; small ones, so that a test reads like a script. */
export function run(tool: string, args: readonly string[], input?: string): string {
  return execFileSync(tool, args, { env: environment, encoding: 'utf8', ...(input === undefined ? {} : { input }) });
}

/** GPT: BIOS boot with GRUB's core, ESP of `esp` MiB, ext4 with a grubenv, and 440 bytes of GRUB. `sector`: 512 or 4096. */
export async function gptImage(sector = 512, esp = 40): Promise<BootImage> {
  const image = emptyImage((esp + 20) * mebibyte);
  const at = (mib: number) => (mib * mebibyte) / sector;
  const script = [
    'label: gpt',
    `start=${at(1)}, size=${at(1)}, type=21686148-6449-6E6F-744E-656564454649`,
    `start=${at(2)}, size=${at(esp)}, type=U, name="EFI system"`,
    `start=${at(2 + esp)}, size=${at(16)}, type=L, name="root"`,
    '',
  ].join('\n');
  if (sector === 512) run('sfdisk', ['--quiet', image.file], script);
  else divideByLoop(image.file, sector, script);
  makeEsp(image.file, 2, esp);
  makeRoot(image, 2 + esp, 16);
  await putGrub(image.file, 1, sector);
  return image;
}

/** MBR: an NTFS-like active partition, an extended one with two logical ones, and GRUB's core in the gap. */
export async function mbrImage(): Promise<BootImage> {
  const image = emptyImage(40 * mebibyte);
  const script = [
    'label: dos',
    'label-id: 0x1234abcd',
    'start=2048, size=20480, type=7, bootable',
    'start=22528, size=57344, type=5',
    'start=24576, size=32768, type=83',
    'start=59392, size=16384, type=ef',
    '',
  ].join('\n');
  run('sfdisk', ['--quiet', image.file], script);
  makeRoot(image, 12, 16);
  makeEsp(image.file, 29, 8);
  // As Windows makes it, so far as blkid and a chain loader look.
  const ntfs = Buffer.alloc(512);
  ntfs.write('\xeb\x52\x90NTFS    ', 0, 'latin1');
  ntfs.writeUInt16LE(512, 11);
  ntfs[13] = 8;
  ntfs.write('BOOTMGR is missing', 0x180, 'latin1');
  ntfs.writeUInt16LE(0xaa55, 510);
  await write(image.file, mebibyte, ntfs);
  await putGrub(image.file, 0, 512);
  return image;
}

/** Writes bytes into a file or device where they belong. */
export async function write(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.write(bytes, 0, bytes.length, offset);
  await handle.sync();
}

export async function read(path: string, offset: number, length: number): Promise<Buffer> {
  await using handle = await open(path, 'r');
  const bytes = Buffer.alloc(length);
  await handle.read(bytes, 0, length, offset);
  return bytes;
}

/** A file on the ESP that begins at this MiB, as mtools reads it; undefined: it is not there. */
export function espFile(path: string, mib: number, file: string): string | undefined {
  try {
    return execFileSync('mtype', ['-i', `${path}@@${mib}M`, `::/${file}`], {
      env: environment,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return undefined;
  }
}

/** sfdisk takes the sectors of a file for 512 bytes, whatever it is told. */
function divideByLoop(file: string, sector: number, script: string): void {
  const device = run('losetup', ['--find', '--show', '--sector-size', String(sector), file]).trim();
  try {
    run('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', device], script);
  } finally {
    run('losetup', ['--detach', device]);
  }
}

function emptyImage(size: number): BootImage {
  const directory = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'imprint-boot-'));
  const file = join(directory, 'disk.img');
  writeFileSync(file, '');
  truncateSync(file, size);
  return {
    directory,
    file,
    [Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A FAT with a fallback, a distribution's loader, Windows' own, and a long name. */
function makeEsp(file: string, mib: number, size: number): void {
  const offset = ['-i', `${file}@@${mib}M`];
  run('mformat', [
    ...offset,
    ...(size < 34 ? [] : ['-F']),
    '-T',
    String(size * 2048),
    '-N',
    'CAFE1234',
    '-v',
    'EFI-BOOT',
    '::',
  ]);
  for (const directory of ['EFI', 'EFI/BOOT', 'EFI/debian', 'EFI/Microsoft', 'EFI/Microsoft/Boot']) {
    run('mmd', [...offset, `::/${directory}`]);
  }
  const put = (path: string, content: string) => run('mcopy', [...offset, '-', `::/${path}`], content);
  put('EFI/BOOT/BOOTX64.EFI', `MZ fallback ${'x'.repeat(200_000)}`);
  put('EFI/debian/grubx64.efi', 'MZ grub');
  put('EFI/debian/a configuration with a long name.cfg', 'search --set=root');
  put('EFI/Microsoft/Boot/bootmgfw.efi', 'MZ windows');
  put('EFI/Microsoft/Boot/BCD', 'old');
}

function makeRoot({ directory, file }: BootImage, mib: number, size: number): void {
  const tree = join(directory, 'root');
  run('mkdir', ['-p', join(tree, 'boot/grub')]);
  const block = '# GRUB Environment Block\nsaved_entry=debian\n'.padEnd(1024, '#');
  writeFileSync(join(tree, 'boot/grub/grubenv'), block);
  const place = `offset=${mib * mebibyte}`;
  run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', tree, '-E', place, file, `${size}m`]);
  rmSync(tree, { recursive: true });
}

/** `mib` 0: into the gap. */
async function putGrub(file: string, mib: number, sector: number): Promise<void> {
  const { makeGrubCore } = await import('../../src/system/grub.ts');
  const { patchBootSector, patchCoreImage } = await import('../../src/machine/grub-core.ts');
  const core = await makeGrubCore(systemProcesses, 'i386-pc', {
    config: 'echo hello\n',
    prefix: '/grub',
    modules: ['biosdisk', 'part_msdos', 'part_gpt', 'echo'],
  });
  const start = mib === 0 ? 1 : (mib * mebibyte) / sector;
  await write(file, start * sector, patchCoreImage(core, start));
  await write(file, 0, patchBootSector(await read('/usr/lib/grub/i386-pc/boot.img', 0, 512), start));
}
