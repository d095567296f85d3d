import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImprintError } from '../foundation/errors.ts';
import { renderCoreConfig } from '../machine/grub-config.ts';
import { patchBootSector, patchCoreImage } from '../machine/grub-core.ts';
import { bootPartitionPaths } from '../machine/installed-layout.ts';
import { openDiskExclusively } from './partition.ts';
import type { Processes } from './run.ts';

export type GrubPlatform = 'i386-pc' | 'x86_64-efi';

/** Where the distribution keeps GRUB's modules and images. */
export const grubDirectory = '/usr/lib/grub';

/** Copies GRUB's modules to `DIRECTORY/PLATFORM`, for both platforms. Errors: `tool-missing`, `disk-full`, `io-failed`. */
export async function copyGrubModules(directory: string, from = grubDirectory): Promise<void> {
  for (const platform of ['i386-pc', 'x86_64-efi'] as const) {
    const source = join(from, platform);
    const target = join(directory, platform);
    await rm(target, { recursive: true, force: true });
    await mkdir(target, { recursive: true });
    for (const name of await grubFiles(source, platform)) await cp(join(source, name), join(target, name));
  }
}

/**
 * Makes a disk boot on BIOS: GRUB's core goes into the BIOS boot partition (of an MBR, into the gap of the disk itself), then 440 bytes of boot code, which know its
 * sector, into the first sector, alone and last. The partition table in the same sector is not touched.
 *
 * Errors: `tool-missing`, `process-failed`, `io-failed`.
 */
export async function installBiosBoot(
  processes: Processes,
  target: {
    disk: string;
    partition: string;
    start: number;
    size: number;
    bootUuid: string;
    table?: 'mbr';
    grub?: string;
  },
  signal?: AbortSignal,
): Promise<void> {
  const directory = join(target.grub ?? grubDirectory, 'i386-pc');
  const core = await makeCore(processes, 'i386-pc', target.bootUuid, directory, signal, target.table);
  const patched = patchCoreImage(core, target.start);
  if (patched.length > target.size * 512) {
    const problem = `GRUB's core (${patched.length} bytes) does not fit`;
    throw new ImprintError('io-failed', { operation: 'writing', path: target.partition, problem });
  }
  {
    await using partition = await open(target.partition, 'r+');
    await partition.write(patched, 0, patched.length, target.table === 'mbr' ? target.start * 512 : 0);
    await partition.sync();
  }
  const boot = await readFile(join(directory, 'boot.img'));
  await using disk = await openDiskExclusively(target.disk);
  // Whole sectors: the rest of the first one is the protective partition table.
  const sector = Buffer.alloc(512);
  await disk.read(sector, 0, 512, 0);
  const code = patchBootSector(boot, target.start);
  code.copy(sector, 0, 0, code.length);
  await disk.write(sector, 0, 512, 0);
  await disk.sync();
}

/**
 * Makes an ESP boot on UEFI: `EFI/BOOT/BOOTX64.EFI`, written by mtools, so that the kernel need not know FAT.
 * Errors: `tool-missing`, `process-failed`, `io-failed`.
 */
export async function installUefiBoot(
  processes: Processes,
  target: { esp: string; bootUuid: string; table?: 'mbr'; grub?: string },
  signal?: AbortSignal,
): Promise<void> {
  const directory = join(target.grub ?? grubDirectory, 'x86_64-efi');
  const image = await makeCore(processes, 'x86_64-efi', target.bootUuid, directory, signal, target.table);
  const options = { timeout: 120_000, env: { MTOOLS_SKIP_CHECK: '1' }, ...(signal && { signal }) };
  await using work = await temporaryDirectory();
  const file = join(work.path, 'BOOTX64.EFI');
  await writeFile(file, image);
  // -D s: directories that are there already are fine.
  await processes.run('mmd', ['-D', 's', '-i', target.esp, '::/EFI', '::/EFI/BOOT'], { ...options, accept: [0, 1] });
  await processes.run('mcopy', ['-o', '-i', target.esp, file, '::/EFI/BOOT/BOOTX64.EFI'], options);
  await using esp = await open(target.esp, 'r+');
  await esp.sync();
}

/**
 * GRUB's core for a platform: finds the boot partition (ext4) by its UUID and goes on with what lies there, in `/grub`. `directory`: the modules of the
 * same GRUB. Errors: `tool-missing`, `process-failed`.
 */
export async function makeCore(
  processes: Processes,
  platform: GrubPlatform,
  bootUuid: string,
  directory: string,
  signal?: AbortSignal,
  table: 'gpt' | 'mbr' = 'gpt',
): Promise<Buffer> {
  const tables = { gpt: ['part_gpt'], mbr: ['part_msdos', 'part_gpt'] }[table];
  const place = { uuid: bootUuid, prefix: `/${bootPartitionPaths.grub}`, modules: [...tables, 'ext2'] };
  return makeCoreFor(processes, platform, place, directory, signal);
}

/**
 * GRUB's core for a platform that finds a file system by its UUID and goes on with the menu in a directory of it; `modules` read the partition table and the file
 * system. Errors: `tool-missing`, `process-failed`.
 */
export async function makeCoreFor(
  processes: Processes,
  platform: GrubPlatform,
  { uuid, prefix, modules }: { uuid: string; prefix: string; modules: readonly string[] },
  directory = join(grubDirectory, platform),
  signal?: AbortSignal,
): Promise<Buffer> {
  const all = [...modules, 'search_fs_uuid', 'normal', ...extraModules[platform]];
  return makeGrubCore(
    processes,
    platform,
    { config: renderCoreConfig(uuid, prefix), prefix, modules: all },
    directory,
    signal,
  );
}

/**
 * GRUB's core as one image: its first configuration, the directory in which it looks for more, and the modules that are built in. The same
 * GRUB makes the same bytes each time. Errors: `tool-missing`, `process-failed`.
 */
export async function makeGrubCore(
  processes: Processes,
  platform: GrubPlatform,
  core: { config: string; prefix: string; modules: readonly string[]; format?: 'i386-pc-eltorito' },
  directory = join(grubDirectory, platform),
  signal?: AbortSignal,
): Promise<Buffer> {
  await grubFiles(directory, platform);
  await using work = await temporaryDirectory();
  const config = join(work.path, 'core.cfg');
  const output = join(work.path, 'core.img');
  await writeFile(config, core.config);
  const args = [
    '-O',
    core.format ?? platform,
    '-d',
    directory,
    '-c',
    config,
    '-p',
    core.prefix,
    '-o',
    output,
    ...core.modules,
  ];
  await processes.run('grub-mkimage', args, { timeout: 120_000, ...(signal && { signal }) });
  return await readFile(output);
}

/** What each platform needs to reach a disk, and a kernel without any further module. */
const extraModules: Readonly<Record<GrubPlatform, readonly string[]>> = {
  'i386-pc': ['biosdisk'],
  'x86_64-efi': ['configfile', 'linux', 'boot', 'echo', 'all_video', 'efi_gop', 'efi_uga', 'serial', 'test', 'fat'],
};

async function grubFiles(directory: string, platform: GrubPlatform): Promise<string[]> {
  const names = await readdir(directory).catch((): string[] => []);
  if (!names.includes('normal.mod')) {
    throw new ImprintError('tool-missing', {
      tool: directory,
      package: platform === 'i386-pc' ? 'grub-pc-bin' : 'grub-efi-amd64-bin',
    });
  }
  return names.filter((name) => /\.(mod|lst|img)$/.test(name));
}

async function temporaryDirectory(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'imprint-grub-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
