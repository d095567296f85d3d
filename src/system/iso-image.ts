import { rm, writeFile } from 'node:fs/promises';
import type { Processes } from './run.ts';

export interface IsoImage {
  /** The file that becomes the ISO. */
  path: string;
  /** Label: at most 32 characters of `A-Z 0-9 _ -`. */
  volume: string;
  /** Of the partition table that it also has. */
  uuid: string;
  /** Seconds since 1970, for everything. */
  time: number;
  /** Files by their paths on the ISO. */
  sources: readonly { path: string; source: string }[];
  /** Path on the ISO of GRUB's image for BIOS. */
  eltorito: string;
  /** Image of the file system that UEFI starts from. */
  efi: string;
  /** GRUB's boot code for a disk that the ISO was copied to. */
  hybrid: string;
}

/**
 * Writes an ISO that starts on BIOS and UEFI, from an optical drive as well as from a disk that it was copied to: as grub-mkrescue does it (xorriso(1), xorrisofs(1)). Errors:
 * `tool-missing`, `process-failed`, `disk-full`.
 */
export async function makeIsoImage(processes: Processes, image: IsoImage, signal: AbortSignal): Promise<void> {
  const list = `${image.path}.list`;
  const escaped = (path: string) => path.replaceAll(/[\\=]/g, '\\$&');
  await writeFile(list, image.sources.map(({ path, source }) => `/${escaped(path)}=${escaped(source)}\n`).join(''));
  const date = new Date(image.time * 1000).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  const args = [
    ...['-as', 'mkisofs', '-quiet', '-r', '-J', '-joliet-long', '-iso-level', '3', '-V', image.volume],
    ...[
      '--set_all_file_dates',
      `=${image.time}`,
      `--modification-date=${date}00`,
      '--gpt_disk_guid',
      image.uuid,
      '-graft-points',
      '-path-list',
      list,
    ],
    ...['-b', image.eltorito, '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', '--grub2-boot-info'],
    ...['--grub2-mbr', image.hybrid, '-partition_offset', '16'],
    ...['-append_partition', '2', '0xef', image.efi, '-appended_part_as_gpt'],
    ...['-eltorito-alt-boot', '-e', '--interval:appended_partition_2:all::', '-no-emul-boot'],
    ...['-o', image.path],
  ];
  const env = { SOURCE_DATE_EPOCH: String(image.time), TZ: 'UTC' };
  try {
    await processes.run('xorriso', args, { signal, env });
  } finally {
    await rm(list, { force: true });
  }
}
