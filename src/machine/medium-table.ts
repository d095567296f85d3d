/** The partition table of a medium that boots on BIOS and UEFI: a USB stick with the imager, or a key with ISO files. */

/** What a partition of a medium is for. */
export type MediumRole = 'bios-boot' | 'boot' | 'data';

export interface MediumPartition {
  number: number;
  role: MediumRole;
  name: string;
  /** Bytes, whole MiB. */
  start: number;
  size: number;
  /** Of the partition, not of what is in it. */
  uuid: string;
}

export interface MediumTable {
  uuid: string;
  /** Bytes of the medium. */
  size: number;
  partitions: MediumPartition[];
}

export interface MediumWish {
  /** Its number in the table, which may be another than its place on the disk. */
  number: number;
  role: MediumRole;
  name: string;
  /** Bytes; `rest`: what is left, for the last one. */
  size: number | 'rest';
  uuid: string;
}

const mebibyte = 2 ** 20;
/** Both copies of the table lie outside the first and the last MiB. */
const margin = mebibyte;

/**
 * Types of GPT partitions (UEFI specification 2.10, table 5.7). What the firmware starts from has the type of plain FAT data and not that
 * of an ESP: firmware takes any FAT of a removable disk, but Windows hides an ESP, and people shall be able to edit `local.cfg` anywhere.
 */
const typeOf: Readonly<Record<MediumRole, string>> = {
  'bios-boot': '21686148-6449-6E6F-744E-656564454649',
  boot: 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7',
  data: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
};

/** Lays partitions one after another, in the order of the wishes. Throws a `RangeError` where they do not fit into `size` bytes. */
export function layMedium(uuid: string, wishes: readonly MediumWish[], size?: number): MediumTable {
  const end = size === undefined ? Number.POSITIVE_INFINITY : floorMebibytes(size - margin);
  let at = margin;
  const partitions = wishes.map(({ size: wished, ...rest }): MediumPartition => {
    const length = wished === 'rest' ? end - at : ceilMebibytes(wished);
    if (length <= 0 || at + length > end) throw new RangeError(`there is no room for its partition “${rest.name}”`);
    const placed = { ...rest, start: at, size: length };
    at += length;
    return placed;
  });
  return { uuid, size: size ?? at + margin, partitions };
}

/** The table as sfdisk's input (sfdisk(8), “Script format”). */
export function renderMediumTable({ uuid, partitions }: MediumTable): string {
  const lines = partitions.map(
    ({ number, start, size, role, uuid: own, name }) =>
      `${number} : start=${start / 512}, size=${size / 512}, type=${typeOf[role]}, uuid=${own.toUpperCase()}, name="${name}"`,
  );
  return ['label: gpt', `label-id: ${uuid.toUpperCase()}`, 'unit: sectors', 'first-lba: 2048', '', ...lines, ''].join(
    '\n',
  );
}

/** Rounded up to what partitions begin and end on. */
export function ceilMebibytes(bytes: number): number {
  return Math.ceil(bytes / mebibyte) * mebibyte;
}

function floorMebibytes(bytes: number): number {
  return Math.floor(bytes / mebibyte) * mebibyte;
}
