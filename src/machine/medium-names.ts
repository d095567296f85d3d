import { hash } from 'node:crypto';
import { uuidFromHash } from '../foundation/hash-uuid.ts';

/** Names of a medium that come from what is on it: the same content gives the same medium, byte for byte. */
export interface MediumNames {
  /** 16 hexadecimal digits: what the imager's kernel is told, and what the medium carries. */
  readonly id: string;
  /** A UUID for a part of it. */
  uuid(part: string): string;
  /** Of a FAT file system: 8 hexadecimal digits. */
  volumeId(part: string): string;
}

/** Names from a description of all that goes onto the medium. */
export function mediumNames(content: readonly string[]): MediumNames {
  const seed = hash('sha256', JSON.stringify(content), 'hex');
  const digitsOf = (part: string) => hash('sha256', `${seed} ${part}`, 'hex');
  return {
    id: seed.slice(0, 16),
    uuid: (part) => uuidFromHash(digitsOf(part)),
    volumeId: (part) => digitsOf(part).slice(0, 8),
  };
}

/** Labels by which people and the imager find the file systems of a medium. FAT allows eleven characters. */
export const mediumLabels = {
  /** FAT: GRUB, the imager, `local.cfg`. */
  boot: 'IMPRINT',
  /** ext4: whole versions. */
  store: 'IMPRINT-STORE',
  /** Any FAT or ext partition anywhere with settings for an install: `local.cfg`. */
  settings: 'IMPRINT-CFG',
  /** ext4: ISO files of a key. */
  isos: 'isos',
  /** ext4: what a live system keeps (live-boot's own name for it). */
  persistence: 'persistence',
} as const;

/** Where a medium has what (relative to the file system of its label). */
export const mediumPaths = {
  /** `{ "format": 1, "id": … }` */
  record: 'imprint/medium.json',
  kernel: 'imprint/vmlinuz',
  initrd: 'imprint/initrd.img',
  menu: 'boot/grub/grub.cfg',
  /** Of a key: what starts its imager. */
  imagerMenu: 'boot/grub/imager.cfg',
  settings: 'local.cfg',
  /** Of the partition for versions; on an ISO the same directory. */
  store: 'store',
  /** Beside the versions there, with its signature: what installs from them are to run. */
  scripts: 'scripts.json',
} as const;
