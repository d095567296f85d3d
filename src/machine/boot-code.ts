import { Buffer } from 'node:buffer';

/** Whose code a boot sector holds, by the words that it would print. */
export interface BootCode {
  kind: 'empty' | 'not-bootable' | 'grub' | 'grub-legacy' | 'windows' | 'syslinux' | 'lilo' | 'unknown';
  /** For people. */
  name: string;
  /** Of GRUB: the sector of the disk where its core begins. */
  coreSector?: number;
}

/** GRUB 0.97 has the version of its first stage here, 3.2; GRUB 2 keeps these bytes free (`stage1/stage1.h`). */
const legacyVersionAt = 0x3e;
/** GRUB's boot.img has the sector of its core here (`include/grub/i386/pc/boot.h`). */
const kernelSectorAt = 0x5c;

/** Words of known boot code, the more telling ones first. */
const signs: readonly { kind: BootCode['kind']; name: string; words: readonly string[] }[] = [
  // What mkfs.fat and Windows put where nothing is to be started.
  { kind: 'not-bootable', name: 'a record that only says that it starts nothing', words: ['not a bootable disk'] },
  { kind: 'not-bootable', name: 'a record that only says that it starts nothing', words: ['Non-System disk'] },
  { kind: 'grub', name: 'GRUB 2', words: ['GRUB ', 'Geom', 'Hard Disk', 'Read'] },
  { kind: 'windows', name: 'Windows', words: ['Invalid partition table', 'Error loading operating system'] },
  { kind: 'windows', name: 'Windows boot sector', words: ['BOOTMGR'] },
  { kind: 'windows', name: 'Windows XP boot sector', words: ['NTLDR'] },
  { kind: 'windows', name: 'MS-DOS boot sector', words: ['IO      SYS'] },
  { kind: 'syslinux', name: 'SYSLINUX', words: ['SYSLINUX'] },
  { kind: 'syslinux', name: 'SYSLINUX mbr', words: ['Missing operating system.\r\n', 'Operating system load error.'] },
  { kind: 'syslinux', name: 'SYSLINUX gptmbr', words: ['Missing OS'] },
  { kind: 'lilo', name: 'LILO', words: ['LILO'] },
];

/** Recognises the code at the beginning of a sector: of a disk (440 bytes), or of a partition. */
export function recogniseBootCode(sector: Uint8Array): BootCode {
  const bytes = Buffer.from(sector.buffer, sector.byteOffset, sector.byteLength);
  if (bytes.subarray(0, 440).every((byte) => byte === 0)) return { kind: 'empty', name: 'none' };
  const text = bytes.toString('latin1');
  const sign = signs.find(({ words }) => words.every((word) => text.includes(word)));
  if (sign === undefined) return { kind: 'unknown', name: 'boot code of an unknown kind' };
  const { kind, name } = sign;
  if (kind !== 'grub' || bytes.length < kernelSectorAt + 8) return { kind, name };
  if (bytes.readUInt16LE(legacyVersionAt) === 0x0203) return { kind: 'grub-legacy', name: 'GRUB 0.97' };
  return { kind, name, coreSector: Number(bytes.readBigUInt64LE(kernelSectorAt)) };
}

/** True where a core of GRUB begins with this sector: the loader of the rest, with the words that it prints. */
export function isGrubCore(sector: Uint8Array): boolean {
  const text = Buffer.from(sector.buffer, sector.byteOffset, sector.byteLength).toString('latin1');
  return text.includes('loading') && text.includes(' Error') && text.includes('Geom');
}
