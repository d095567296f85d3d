import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildFat32 } from '../../image/fat32.ts';
import { bootAreas } from '../../machine/boot-areas.ts';
import { isGrubCore, recogniseBootCode } from '../../machine/boot-code.ts';
import { parseInstalledLayout } from '../../machine/boot-records.ts';
import { type DiskStructure, isBiosBoot, isEsp } from '../../machine/disk-structure.ts';
import type { PlacedBytes } from '../../machine/gpt.ts';
import { patchBootSector, patchCoreImage } from '../../machine/grub-core.ts';
import { bootPartitionPaths, partitionLabels } from '../../machine/installed-layout.ts';
import type { MendQuestion } from '../../planning/plan-boot-mend.ts';
import type { BootDisk } from '../../system/boot-disk.ts';
import { ExtFiles } from '../../system/ext-files.ts';
import { makeCore } from '../../system/grub.ts';
import type { Processes } from '../../system/run.ts';
import { type BootScan, fatAt } from './scan-boot.ts';

type Own = NonNullable<MendQuestion['own']>;

const programPath = 'EFI/BOOT/BOOTX64.EFI';
/** Nothing of a file system that is made begins behind this; what was there must not be taken for its directories. */
const clearedUpTo = 65_536;

/**
 * What makes a disk boot that Imprint installed, as it is and as it should be, made from GRUB's modules on the boot partition: those of another GRUB would
 * not fit them. Undefined where it has no boot partition of ours. Errors: `tool-missing`, `process-failed`, `io-failed`.
 */
export async function lookAtOwnBoot(
  processes: Processes,
  disk: BootDisk,
  { record, structure }: BootScan,
  signal: AbortSignal,
): Promise<Own | undefined> {
  const boot = record.table.partitions.find(({ content }) => content?.label === partitionLabels.boot);
  const bootUuid = boot?.content?.uuid;
  if (boot === undefined || bootUuid === undefined) return undefined;
  const files = new ExtFiles(processes, { path: disk.path, start: boot.start }, signal);
  const layout = parseInstalledLayout((await files.read(`/${bootPartitionPaths.layout}`)) ?? '');
  const directory = await mkdtemp(join(tmpdir(), 'imprint-mend-'));
  try {
    await files.copyDirectory('/grub', directory);
    const modules = join(directory, 'grub');
    const kernel = await disk.kernelPartitions();
    const table = structure.label === 'mbr' ? 'mbr' : 'gpt';
    const room = coreRoom(structure);
    const esp = structure.partitions.find(isEsp);
    const own: Own = {};
    // GRUB reads BIOS disks in sectors of 512 bytes.
    if (room !== undefined && disk.sectorSize === 512) {
      const sector = room.start / 512;
      const core = await makeCore(processes, 'i386-pc', bootUuid, join(modules, 'i386-pc'), signal, table);
      const bytes = patchCoreImage(core, sector);
      const present = recogniseBootCode(disk.read(0, 512));
      const code = { offset: 0, bytes: patchBootSector(await readFile(join(modules, 'i386-pc/boot.img')), sector) };
      const whole = present.kind === 'grub' && present.coreSector === sector && isGrubCore(disk.read(room.start, 512));
      if (bytes.length <= room.size) own.bios = { core: { offset: room.start, bytes }, code, whole };
    }
    if (esp !== undefined) {
      const content = await makeCore(processes, 'x86_64-efi', bootUuid, join(modules, 'x86_64-efi'), signal, table);
      const volumeId = (layout?.esp ?? '').replace('-', '');
      const [mounted] = kernel.find(({ start }) => start === esp.start)?.mountPoints ?? [];
      const fat = fatAt(disk, esp);
      const file = fat?.entries.find(({ path }) => path.toLowerCase() === programPath.toLowerCase());
      const head = file?.runs[0] === undefined ? undefined : disk.read(esp.start + file.runs[0].offset, 2);
      const state =
        fat === undefined ? 'gone' : volumeId === '' || fat.volumeId === volumeId.toUpperCase() ? 'same' : 'other';
      const fresh =
        disk.sectorSize === 512
          ? freshEsp(esp, volumeId || '1A2B3C4D', content, Date.parse(record.created))
          : undefined;
      own.esp = {
        ...{ partition: esp.number, offset: esp.start, state },
        ...(mounted === undefined ? {} : { mounted }),
        ...(fresh === undefined ? {} : { fresh }),
        program: { path: programPath, content, whole: head?.toString('latin1') === 'MZ' },
      };
    }
    return own;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Where an install puts GRUB's core: the BIOS boot partition; of an MBR the gap, from the second sector on. */
function coreRoom(structure: DiskStructure): { start: number; size: number } | undefined {
  if (structure.label !== 'mbr') return structure.partitions.find(isBiosBoot);
  const gap = bootAreas(structure).find(({ part }) => part === 'gap');
  return gap === undefined ? undefined : { start: gap.offset, size: gap.length };
}

/** The beginning of the partition, up to the last byte that the file system uses; undefined where it is too small for FAT32. */
function freshEsp(
  { start, size }: { start: number; size: number },
  volumeId: string,
  content: Uint8Array,
  now: number,
): PlacedBytes | undefined {
  const modified = { seconds: Math.floor(now / 1000), nanoseconds: 0 };
  const boot = { name: 'BOOT', modified, children: [{ name: 'BOOTX64.EFI', modified, content }] };
  try {
    const root = [{ name: 'EFI', modified, children: [boot] }];
    const pieces = buildFat32({ size, volumeId, label: partitionLabels.esp, root });
    const end = Math.max(...pieces.map(({ offset, bytes }) => offset + bytes.length));
    const whole = Buffer.alloc(Math.min(size, Math.ceil(end / clearedUpTo + 1) * clearedUpTo));
    for (const { offset, bytes } of pieces) whole.set(bytes, offset);
    return { offset: start, bytes: whole };
  } catch (thrown) {
    if (thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}
