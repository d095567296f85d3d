import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildFat32 } from '../../image/fat32.ts';
import { patchBootSector, patchCoreImage } from '../../machine/grub-core.ts';
import type { DiskFile } from '../../system/disk-file.ts';
import { grubDirectory, makeGrubCore } from '../../system/grub.ts';
import type { Processes } from '../../system/run.ts';

/** What both firmwares start from, none of it in the tree. */
export interface DiskBoot {
  /** Byte and length of the BIOS boot partition and of the ESP. */
  bios: { start: number; size: number };
  esp: { start: number; size: number };
  /** Of the ESP: 8 hexadecimal digits. */
  volumeId: string;
  /** `grub.cfg`. */
  menu: string;
  /** Seconds since 1970, for the files of the ESP. */
  time: number;
}

const modules = (
  'part_gpt fat ext2 search search_fs_uuid search_fs_file search_label normal configfile linux boot echo test regexp ' +
  'serial terminal loadenv gzio ls cat minicmd reboot halt sleep'
).split(' ');
const platformModules = {
  'i386-pc': ['biosdisk', 'chain'],
  'x86_64-efi': ['all_video', 'efi_gop', 'efi_uga', 'chain', 'efifwsetup'],
} as const;

/** Makes a disk image boot on BIOS and UEFI. Errors: `tool-missing`, `process-failed`, `disk-full`, `io-failed`. */
export async function writeDiskBoot(
  processes: Processes,
  disk: DiskFile,
  boot: DiskBoot,
  signal: AbortSignal,
): Promise<void> {
  const volume = `${boot.volumeId.slice(0, 4)}-${boot.volumeId.slice(4)}`.toUpperCase();
  // The menu lies on the ESP: the tree stays as it is.
  const config = [`search.fs_uuid ${volume} root`, 'set prefix=($root)/grub', 'configfile $prefix/grub.cfg', ''].join(
    '\n',
  );
  const core = (platform: keyof typeof platformModules) => {
    const wish = { config, prefix: '/grub', modules: [...modules, ...platformModules[platform]] };
    return makeGrubCore(processes, platform, wish, undefined, signal);
  };
  const sector = boot.bios.start / 512;
  const biosCore = patchCoreImage(await core('i386-pc'), sector);
  if (biosCore.length > boot.bios.size) throw new RangeError('GRUB’s core does not fit into its partition');
  disk.write(boot.bios.start, biosCore);
  // Only the code: the rest of the first sector is the protective partition table.
  disk.write(0, patchBootSector(await readFile(join(grubDirectory, 'i386-pc/boot.img')), sector));
  const modified = { seconds: boot.time, nanoseconds: 0 };
  const file = (name: string, content: Uint8Array) => ({ name, modified, content });
  const pieces = buildFat32({
    size: boot.esp.size,
    volumeId: boot.volumeId,
    label: 'IMPRINT',
    root: [
      {
        name: 'EFI',
        modified,
        children: [{ name: 'BOOT', modified, children: [file('BOOTX64.EFI', await core('x86_64-efi'))] }],
      },
      { name: 'grub', modified, children: [file('grub.cfg', Buffer.from(boot.menu))] },
    ],
  });
  for (const { offset, bytes } of pieces) disk.write(boot.esp.start + offset, bytes);
}
