import type {
  Layout,
  LayoutCrypt,
  LayoutFileSystem,
  LayoutPartition,
  LayoutRole,
  RaidLevel,
} from '../contract/layout.ts';
import type { DiskFacts, PartitionFacts } from '../contract/machine.ts';
import type { PartitionKind } from '../contract/partition-kind.ts';
import type { ImprintError } from '../foundation/errors.ts';

/** What a layout is solved for. */
export interface LayoutQuestion {
  layout: Layout;
  /** Of the machine, in the order of their paths. */
  disks: readonly DiskFacts[];
  firmware: 'bios' | 'uefi';
  /** Room that the version needs (`layoutNeeds`). */
  needs: LayoutNeeds;
  /** For messages: the machine's name, and the image's reference or what is laid out. */
  machine: string;
  reference: string;
}

/** Bytes that a version needs, file systems' own included. */
export interface LayoutNeeds {
  /** In the root, or in each slot: without what has a file system of its own below. */
  system: number;
  /** On a host partition, for its image files. */
  host: number;
  /** By mount point: what of the version lies there. */
  mounts: ReadonlyMap<string, number>;
}

/** A partition as it will be. */
export interface SolvedPartition {
  /** That of the layout, with the disk's number behind it where an entry stands for several; absent: it only stays. */
  name?: string;
  entry?: LayoutPartition;
  number: number;
  /** Sectors of the disk. */
  start: number;
  size: number;
  /** GPT type GUID, or an MBR's two hexadecimal digits. */
  type: string;
  /** It is there already, and stays exactly as it is. */
  kept?: PartitionFacts;
  /** MBR: holds the logical ones. */
  extended?: true;
  /** MBR: the one that old firmware wants marked. */
  active?: true;
  /** What is made in it; absent where it stays, or is a part of something. */
  fileSystem?: LayoutFileSystem;
  role?: LayoutRole;
}

/** A disk as it will be. */
export interface SolvedDisk {
  /** That of the layout, numbered as its partitions. */
  name: string;
  facts: DiskFacts;
  table: 'gpt' | 'mbr';
  /** The table that is there stays, with its id. */
  tableKept: boolean;
  /** In the order in which they lie. */
  partitions: SolvedPartition[];
}

export interface SolvedRaid {
  name: string;
  level: RaidLevel;
  device: string;
  /** Devices, and how many are missing to what the layout wants. */
  members: string[];
  missing: number;
  spares: string[];
  metadata: string;
  chunk?: number;
  /** Bytes, about: mdadm decides how much it keeps for itself. */
  size: number;
  fileSystem?: LayoutFileSystem;
  role?: LayoutRole;
}

export interface SolvedCrypt {
  name: string;
  device: string;
  on: string;
  unlock: NonNullable<LayoutCrypt['unlock']>;
  version?: '1' | '2';
  keyFile?: string;
  size: number;
  fileSystem?: LayoutFileSystem;
  role?: LayoutRole;
}

export interface SolvedVolume {
  name: string;
  device: string;
  size: number;
  thinPool?: true;
  pool?: string;
  fileSystem?: LayoutFileSystem;
  role?: LayoutRole;
}

export interface SolvedGroup {
  name: string;
  physicalVolumes: string[];
  size: number;
  extent: number;
  volumes: SolvedVolume[];
  /** Bytes that no volume takes. */
  free: number;
}

/** A line of the machine's fstab to be. */
export interface SolvedMount {
  device: string;
  /** `none` for swap. */
  mount: string;
  type: string;
  options: string;
  subvolume?: string;
  kept: boolean;
}

/** Something on a disk that will not be there any more. */
export interface Loss {
  disk: string;
  /** Of the partition, or the disk. */
  path: string;
  /** In words: `Windows (ntfs “OS”)`. */
  what: string;
  kind: PartitionKind;
  /** Bytes that it takes, and of these in use, where that is known. */
  bytes: number;
  used?: number;
}

/** What a layout means on the disks of one machine. */
export interface LayoutSolution {
  disks: SolvedDisk[];
  raids: SolvedRaid[];
  crypts: SolvedCrypt[];
  groups: SolvedGroup[];
  /** Those above others first, swap last. */
  mounts: SolvedMount[];
  lost: Loss[];
  /** For people: what is not as the layout says it, and why. */
  notes: string[];
}

export type LayoutAnswer = { kind: 'solved'; solution: LayoutSolution } | { kind: 'refused'; error: ImprintError };
