/** A partition table as data, and as the script that sfdisk reads. */

export type PartitionRole = 'bios-boot' | 'esp' | 'boot' | 'swap' | 'root' | 'slot' | 'host' | 'data' | 'extended';

export interface Partition {
  readonly number: number;
  readonly role: PartitionRole;
  /** Of a slot: `a`. */
  readonly slot?: string;
  /** Of data: what it is called, in the table too. */
  readonly name?: string;
  /** It is there already and stays as it is. */
  readonly kept?: true;
  /** Sectors of the disk. */
  readonly start: number;
  readonly size: number;
  /** Of the partition itself, not of what is in it; of an MBR made of the disk's id and the number. */
  readonly uuid: string;
  /** MBR: the one that old firmware wants marked. */
  readonly active?: true;
  /** MBR: two hexadecimal digits; GPT: a GUID, where it is not that of the role. */
  readonly type?: string;
}

export interface PartitionTable {
  /** Absent: a GPT. */
  readonly label?: 'mbr';
  /** GPT: a UUID; MBR: `0x1234abcd`. */
  readonly uuid: string;
  /** Bytes. */
  readonly sectorSize: number;
  readonly partitions: readonly Partition[];
}

/** Not the type “root”: nothing shall guess which of several is to be mounted (systemd-gpt-auto-generator). */
const linuxData = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
const types: Readonly<Record<PartitionRole, { guid: string; name: string }>> = {
  'bios-boot': { guid: '21686148-6449-6E6F-744E-656564454649', name: 'BIOS boot' },
  esp: { guid: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B', name: 'EFI system' },
  boot: { guid: linuxData, name: 'Imprint boot' },
  swap: { guid: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F', name: 'swap' },
  root: { guid: linuxData, name: 'root' },
  slot: { guid: linuxData, name: 'system' },
  host: { guid: linuxData, name: 'hostpart' },
  data: { guid: linuxData, name: 'data' },
  // Of an MBR only.
  extended: { guid: '', name: 'extended' },
};

/** The partition in a few characters: `esp`, `slot a`. */
export function partitionName({ role, slot, name }: Pick<Partition, 'role' | 'slot' | 'name'>): string {
  return name ?? (slot === undefined ? role : `${role} ${slot}`);
}

/** The table as sfdisk's input (`sfdisk(8)`, “Script format”). Starts and sizes are in sectors. */
export function renderSfdisk(table: PartitionTable): string {
  if (table.label === 'mbr') {
    return ['label: dos', `label-id: ${table.uuid}`, 'unit: sectors', '', renderAdded('/dev/sda', table)].join('\n');
  }
  const lines = table.partitions.map(partitionLine);
  return ['label: gpt', `label-id: ${table.uuid.toUpperCase()}`, 'unit: sectors', '', ...lines, ''].join('\n');
}

/** The partitions that are to be added to a table that stays, each with its number, as input of `sfdisk --append`. */
export function renderAdded(disk: string, table: PartitionTable): string {
  // An extended partition has a lower number than what lies in it.
  const added = table.partitions.filter(({ kept }) => kept !== true).sort((left, right) => left.number - right.number);
  const line = table.label === 'mbr' ? mbrLine : partitionLine;
  return added.map((each) => `${partitionPath(disk, each.number)} : ${line(each)}\n`).join('');
}

function mbrLine({ start, size, type = '83', active }: Partition): string {
  return `start=${start}, size=${size}, type=${type}${active ? ', bootable' : ''}`;
}

/** PARTUUID that the kernel gives a partition of an MBR: `1234abcd-05`. */
export function mbrPartitionUuid(id: string, number: number): string {
  return `${id.replace(/^0x/i, '').toLowerCase().padStart(8, '0')}-${number.toString(16).padStart(2, '0')}`;
}

function partitionLine(partition: Partition): string {
  const { guid, name } = types[partition.role];
  const title = partition.name ?? (partition.slot === undefined ? name : `${name} ${partition.slot}`);
  return `start=${partition.start}, size=${partition.size}, type=${partition.type ?? guid}, uuid=${partition.uuid.toUpperCase()}, name="${title}"`;
}

/** Device of a partition: `/dev/vda` 2 → `/dev/vda2`, `/dev/nvme0n1` 2 → `/dev/nvme0n1p2`. */
export function partitionPath(disk: string, number: number): string {
  return /\d$/.test(disk) ? `${disk}p${number}` : `${disk}${number}`;
}
