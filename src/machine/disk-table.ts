import type { ImagePartition } from './disk-layout.ts';

/** A partition of a disk image with its place, in bytes. */
export interface PlacedPartition {
  number: number;
  start: number;
  size: number;
  role: 'bios-boot' | 'esp' | ImagePartition['kind'];
  uuid: string;
  name: string;
}

const mebibyte = 2 ** 20;
/** Both copies of the table lie outside the first and the last MiB that partitions use. */
const margin = mebibyte;
export const biosBootSize = mebibyte;
/** FAT32 with clusters of one sector; what we put there is a few hundred KiB. */
export const bootEspSize = 64 * mebibyte;

/** Types of GPT partitions (UEFI specification 2.10, table 5.7; the Discoverable Partitions Specification). */
const typeOf: Readonly<Record<PlacedPartition['role'], string>> = {
  'bios-boot': '21686148-6449-6E6F-744E-656564454649',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  fat: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  swap: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
  data: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  root: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
};

export interface DiskTable {
  uuid: string;
  /** Bytes of the whole disk. */
  size: number;
  partitions: PlacedPartition[];
}

/** Lays partitions of these sizes (whole MiB) one after another behind what firmware reads. */
export function tableFor(
  uuid: string,
  boot: { bios: string; esp: string },
  wishes: readonly { partition: ImagePartition; size: number }[],
): DiskTable {
  const all = [
    { role: 'bios-boot' as const, size: biosBootSize, uuid: boot.bios, name: 'BIOS boot' },
    { role: 'esp' as const, size: bootEspSize, uuid: boot.esp, name: 'EFI system' },
    ...wishes.map(({ partition, size }) => ({
      role: partition.kind,
      size,
      uuid: partition.partitionUuid,
      name: partition.partitionName,
    })),
  ];
  let at = margin;
  const partitions = all.map((wish, index) => {
    const placed = { number: index + 1, start: at, ...wish };
    at += wish.size;
    return placed;
  });
  return { uuid, size: at + margin, partitions };
}

/** The table as sfdisk's input (sfdisk(8), “Script format”). */
export function renderDiskTable(table: DiskTable): string {
  const lines = table.partitions.map(({ start, size, role, uuid, name }) => {
    const shown = Buffer.from(name, 'latin1')
      .toString('utf8')
      .replaceAll(/["\\\n]/g, '_');
    return `start=${start / 512}, size=${size / 512}, type=${typeOf[role]}, uuid=${uuid.toUpperCase()}, name="${shown}"`;
  });
  return ['label: gpt', `label-id: ${table.uuid.toUpperCase()}`, 'unit: sectors', '', ...lines, ''].join('\n');
}

/** The first page of a swap partition (`linux/swap.h`, version 1). */
export function swapHeader(size: number, uuid: string, label = ''): Buffer {
  const page = Buffer.alloc(4096);
  page.writeUInt32LE(1, 1024);
  page.writeUInt32LE(Math.floor(size / 4096) - 1, 1028);
  Buffer.from(uuid.replaceAll('-', ''), 'hex').copy(page, 1036);
  page.write(label.slice(0, 15), 1052, 'latin1');
  page.write('SWAPSPACE2', 4086, 'latin1');
  return page;
}

/** Rounded up to what partitions begin and end on. */
export function wholeMebibytes(bytes: number): number {
  return Math.ceil(bytes / mebibyte) * mebibyte;
}
