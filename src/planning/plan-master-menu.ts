import type { BootArea } from '../contract/boot-copy.ts';
import type { DiskStructure } from '../machine/disk-structure.ts';
import { isBiosBoot, isEsp } from '../machine/disk-structure.ts';
import { patchBootSector, patchCoreImage } from '../machine/grub-core.ts';
import type { MendPlan } from './plan-boot-mend.ts';

/** What a master menu is put in front of a disk with. */
export interface MasterQuestion {
  structure: Pick<DiskStructure, 'label' | 'partitions' | 'sectorSize'>;
  /** The gap behind an MBR, where it has one. */
  gap?: Pick<BootArea, 'offset' | 'length'>;
  bios: { core: Uint8Array; boot: Uint8Array };
  uefi: Uint8Array;
  /** What is on each ESP that can be read, by its partition's number; lower case. */
  programs: ReadonlyMap<number, readonly string[]>;
  /** Where an ESP is mounted, by its number. */
  mounted: ReadonlyMap<number, string>;
}

const ownProgram = 'EFI/imprint/grubx64.efi';
const fallback = 'EFI/BOOT/BOOTX64.EFI';

/**
 * What makes firmware start the menu: on BIOS GRUB's core in the BIOS boot partition or the gap, and 440 bytes; on UEFI a program in a directory of its own. What
 * others have on the ESP stays: `EFI/BOOT` is written only where there is none. Pure.
 */
export function planMasterMenu(question: MasterQuestion): MendPlan {
  const plan: MendPlan = { steps: [], left: [] };
  planUefi(question, plan);
  planBios(question, plan);
  return plan;
}

function planBios({ structure, gap, bios }: MasterQuestion, { steps, left }: MendPlan): void {
  const { label, partitions, sectorSize } = structure;
  const biosBoot = partitions.find(isBiosBoot);
  const room = label === 'gpt' ? biosBoot && { offset: biosBoot.start, length: biosBoot.size } : gap;
  if (room === undefined) {
    const what = label === 'gpt' ? 'there is no BIOS boot partition' : 'there is no gap behind the partition table';
    left.push(`BIOS will not start the menu: ${what}.`);
    return;
  }
  const sector = room.offset / sectorSize;
  const core = patchCoreImage(bios.core, sector);
  if (core.length > room.length) {
    left.push(
      `BIOS will not start the menu: GRUB needs ${core.length} bytes before the first partition, and there are ${room.length}.`,
    );
    return;
  }
  const place = label === 'gpt' ? `in the BIOS boot partition ${biosBoot?.number}` : 'in the gap behind the table';
  steps.push({ kind: 'write-bytes', what: `GRUB’s core, ${place}`, pieces: [{ offset: room.offset, bytes: core }] });
  const code = { offset: 0, bytes: patchBootSector(bios.boot, sector) };
  steps.push({ kind: 'write-bytes', what: 'the boot code in the first sector', pieces: [code] });
}

function planUefi({ structure, uefi, programs, mounted }: MasterQuestion, { steps, left }: MendPlan): void {
  const esp = structure.partitions.find(isEsp);
  if (esp === undefined) {
    left.push('UEFI will not start the menu: there is no ESP.');
    return;
  }
  const { number, start: offset } = esp;
  const there = programs.get(number);
  const point = mounted.get(number);
  if (there === undefined || point !== undefined) {
    const why =
      point === undefined ? 'holds no FAT that can be read' : `is mounted on ${point}: umount ${point}, and again`;
    left.push(`UEFI will not start the menu: the ESP, partition ${number}, ${why}.`);
    return;
  }
  steps.push({ kind: 'write-program', partition: number, offset, path: ownProgram, content: uefi });
  if (!there.includes(fallback.toLowerCase())) {
    steps.push({ kind: 'write-program', partition: number, offset, path: fallback, content: uefi });
    return;
  }
  const words = `The firmware starts ${fallback} of somebody else, which stays. Have it start the menu:`;
  left.push(
    `${words} efibootmgr --create --disk DISK --part ${number} --label 'Boot menu' --loader '\\${ownProgram.replaceAll('/', '\\')}'`,
  );
}
