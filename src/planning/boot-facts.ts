import type { BootArea, BootDisk, BootTable } from '../contract/boot-copy.ts';

/** What is at a place of the disk now, where the copy had this partition. */
export interface PlaceFacts {
  number: number;
  /** `same`: the file system that was there is there. */
  holds: 'same' | 'other' | 'nothing';
  /** What it held then, and what it holds now, in words. */
  was: string;
  now: string;
}

export interface AreaFacts {
  area: BootArea;
  /** How it differs, in words; undefined: it does not. */
  differs?: string;
}

/** How the FAT of a copy is now. */
export type VolumeFacts = {
  partition: number;
} & (
  | { state: 'there'; missing: string[]; changed: string[]; added: string[] }
  /** Another file system of the same kind. */
  | { state: 'other'; volumeId: string; label: string; files: number }
  | { state: 'gone' }
);

/** All that a plan needs to know of the disk as it is. */
export interface BootFacts {
  disk: BootDisk;
  table: Pick<BootTable, 'label' | 'id' | 'hash' | 'partitions'>;
  /** What is wrong with the table now, in words. */
  problems: readonly string[];
  areas: readonly AreaFacts[];
  volumes: readonly VolumeFacts[];
  places: readonly PlaceFacts[];
  /** Partitions that the kernel has; none of an image file. Bytes. */
  kernel: readonly { number: number; start: number; size: number; device: string; mountPoints: readonly string[] }[];
  /** The machine; variables are absent where its firmware shows none. */
  machine: { uuid?: string | undefined };
  variables?: { missing: string[]; changed: string[] };
}
