import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Timestamp } from '../../image/entry.ts';
import type { FatNode } from '../../image/fat32.ts';
import { isSignedUnder } from '../../machine/secure-boot.ts';
import { grubDirectory, makeGrubCore } from '../../system/grub.ts';
import type { Processes } from '../../system/run.ts';
import type { SignedBoot } from '../../system/signed-boot.ts';

/** What both firmwares start from. */
export interface BootPrograms {
  bios: { boot: Buffer; core: Buffer };
  /** Files of `EFI/BOOT`. */
  uefi: { name: string; content: Uint8Array }[];
}

const modules = (
  'part_gpt part_msdos fat ext2 iso9660 search search_fs_uuid search_fs_file search_label normal configfile linux boot echo ' +
  'test true regexp loopback probe serial terminal gzio ls cat minicmd sleep reboot halt chain'
).split(' ');
const platformModules = {
  'i386-pc': ['biosdisk', 'linux16', 'multiboot', 'ntldr'],
  'x86_64-efi': ['all_video', 'efi_gop', 'efi_uga', 'efifwsetup'],
} as const;

/**
 * GRUB for a medium. Its core looks for the file system `volume` (a volume id or UUID) where it was started from first, and then
 * everywhere. With `signed`, UEFI starts shim and the distribution's GRUB instead of ours. Errors: `tool-missing`, `process-failed`.
 */
export async function makeBootPrograms(
  processes: Processes,
  volume: string,
  signed: SignedBoot | undefined,
  signal: AbortSignal,
): Promise<BootPrograms> {
  const config = [`search.fs_uuid ${volume} root $root`, 'set prefix=($root)/boot/grub', ''].join('\n');
  const core = (platform: keyof typeof platformModules) => {
    const wish = { config, prefix: '(,gpt2)/boot/grub', modules: [...modules, ...platformModules[platform]] };
    return makeGrubCore(processes, platform, wish, undefined, signal);
  };
  const bios = { core: await core('i386-pc'), boot: await readFile(join(grubDirectory, 'i386-pc/boot.img')) };
  if (signed === undefined) return { bios, uefi: [{ name: 'BOOTX64.EFI', content: await core('x86_64-efi') }] };
  return { bios, uefi: signedFiles(signed) };
}

function signedFiles({ shim, grub, mokManager }: SignedBoot): BootPrograms['uefi'] {
  return [
    { name: 'BOOTX64.EFI', content: shim },
    { name: 'grubx64.efi', content: grub },
    ...(mokManager === undefined ? [] : [{ name: 'mmx64.efi', content: mokManager }]),
  ];
}

/**
 * The same for an ISO, which is found by a file that only it has. `bios.core` is the image of its El Torito entry, `bios.boot` what starts that from a disk that the ISO was
 * copied to. Errors: `tool-missing`, `process-failed`.
 */
export async function makeIsoBootPrograms(
  processes: Processes,
  mark: string,
  signed: SignedBoot | undefined,
  signal: AbortSignal,
): Promise<BootPrograms> {
  const config = [`search.file ${mark} root $root`, 'set prefix=($root)/boot/grub', ''].join('\n');
  const common = { config, prefix: '/boot/grub' };
  const core = await makeGrubCore(
    processes,
    'i386-pc',
    { ...common, modules: [...modules, ...platformModules['i386-pc']], format: 'i386-pc-eltorito' },
    undefined,
    signal,
  );
  const bios = { core, boot: await readFile(join(grubDirectory, 'i386-pc/boot_hybrid.img')) };
  if (signed !== undefined) return { bios, uefi: signedFiles(signed) };
  const wish = { ...common, modules: [...modules, ...platformModules['x86_64-efi']] };
  return {
    bios,
    uefi: [{ name: 'BOOTX64.EFI', content: await makeGrubCore(processes, 'x86_64-efi', wish, undefined, signal) }],
  };
}

/** Files by their paths as a tree for FAT, all of one time. */
export function fatTree(files: Readonly<Record<string, Uint8Array>>, modified: Timestamp): FatNode[] {
  const root: Directory = new Map();
  for (const [path, content] of Object.entries(files).sort(([left], [right]) => (left < right ? -1 : 1))) {
    const names = path.split('/');
    const last = names.pop() ?? '';
    let at = root;
    for (const name of names) {
      const next = at.get(name);
      if (next instanceof Map) at = next;
      else {
        const made: Directory = new Map();
        at.set(name, made);
        at = made;
      }
    }
    at.set(last, content);
  }
  return nodesOf(root, modified);
}

/** What the paths of a medium's FAT are, beside its own files: GRUB's programs, and its menu wherever a GRUB looks for it. */
export function bootFiles(programs: BootPrograms, menu: string): Record<string, Uint8Array> {
  const bytes = Buffer.from(menu);
  return {
    ...Object.fromEntries(programs.uefi.map(({ name, content }) => [`EFI/BOOT/${name}`, content])),
    'boot/grub/grub.cfg': bytes,
    // Where signed ones look that were not made for removable media.
    ...Object.fromEntries(['debian', 'ubuntu'].map((vendor) => [`EFI/${vendor}/grub.cfg`, Buffer.from(handOver)])),
    '.disk/info': Buffer.from('Imprint\n'),
  };
}

/** Whether what is on the medium starts under Secure Boot: shim's authorities signed the kernel. */
export function startsUnderSecureBoot(signed: SignedBoot | undefined, kernel: Uint8Array): boolean {
  return signed !== undefined && isSignedUnder(kernel, signed.authorities);
}

const handOver = 'set prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n';

type Directory = Map<string, Directory | Uint8Array>;

function nodesOf(directory: Directory, modified: Timestamp): FatNode[] {
  return [...directory].map(([name, value]) =>
    value instanceof Map ? { name, modified, children: nodesOf(value, modified) } : { name, modified, content: value },
  );
}
