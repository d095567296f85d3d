import type { DiskContent, PartitionFacts } from '../contract/machine.ts';

/** Bytes from the beginning of a device that `usedBytes` and `memberGroup` look at. */
export const superblockReach = 1 << 20;

/** Bytes in use in a file system, from its superblock; undefined where the kind keeps no such count there, or it cannot be. */
export function usedBytes(type: string, head: Uint8Array): number | undefined {
  return sane(counted(type, head)?.used);
}

/** Bytes that a file system takes of its device, as `usedBytes`. */
export function fileSystemBytes(type: string, head: Uint8Array): number | undefined {
  return sane(counted(type, head)?.total);
}

function sane(bytes: number | undefined): number | undefined {
  return bytes !== undefined && Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
}

/** What a superblock counts, in bytes. Of a file system that was not unmounted cleanly it is that of its last write. */
interface Counted {
  total: number;
  used?: number;
}

function counted(type: string, head: Uint8Array): Counted | undefined {
  try {
    return readers[type]?.(Buffer.from(head.buffer, head.byteOffset, head.byteLength));
  } catch (error) {
    // Cut off before its superblock ends.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * Offsets: ext2–4 from the kernel's fs/ext4/ext4.h, xfs from xfs_format.h (big-endian), btrfs from btrfs_tree.h, FAT32 from
 * Microsoft's “FAT32 File System Specification” (FSInfo).
 */
const readers: Readonly<Record<string, (view: Buffer) => Counted | undefined>> = {
  ext2: ext,
  ext3: ext,
  ext4: ext,
  xfs(view) {
    if (view.toString('latin1', 0, 4) !== 'XFSB') return undefined;
    const [block, blocks] = [view.readUInt32BE(4), view.readBigUInt64BE(8)];
    return { total: block * Number(blocks), used: block * Number(blocks - view.readBigUInt64BE(144)) };
  },
  btrfs(view) {
    const at = 0x10000;
    if (view.toString('latin1', at + 0x40, at + 0x48) !== '_BHRfS_M') return undefined;
    return { total: Number(view.readBigUInt64LE(at + 0x70)), used: Number(view.readBigUInt64LE(at + 0x78)) };
  },
  vfat(view) {
    const sector = view.readUInt16LE(11);
    const info = view.readUInt16LE(48) * sector;
    if (view.readUInt16LE(22) !== 0 || view.readUInt32LE(info) !== 0x41615252) return undefined;
    const cluster = sector * view.readUInt8(13);
    const sectors = view.readUInt32LE(32);
    const data = sectors - view.readUInt16LE(14) - view.readUInt8(16) * view.readUInt32LE(36);
    const free = view.readUInt32LE(info + 488);
    return { total: sectors * sector, ...(free !== 0xffffffff && { used: data * sector - free * cluster }) };
  },
};

function ext(view: Buffer): Counted | undefined {
  const at = 1024;
  if (view.readUInt16LE(at + 0x38) !== 0xef53) return undefined;
  const wide = (view.readUInt32LE(at + 0x60) & 0x80) !== 0;
  const high = (offset: number) => (wide ? view.readUInt32LE(at + offset) * 2 ** 32 : 0);
  const blocks = view.readUInt32LE(at + 0x04) + high(0x150);
  const free = view.readUInt32LE(at + 0x0c) + high(0x158);
  const block = 1024 * 2 ** view.readUInt32LE(at + 0x18);
  return { total: blocks * block, used: (blocks - free) * block };
}

/** What a RAID member or physical volume belongs to, from its own superblock; undefined where it does not say. */
export function memberGroup(content: DiskContent, head: Uint8Array): PartitionFacts['group'] {
  const view = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (content.type === 'LVM2_member') return volumeGroup(view);
  if (content.type !== 'linux_raid_member' || content.uuid === undefined) return undefined;
  const array = { kind: 'raid' as const, id: content.uuid };
  // linux/raid/md_p.h: version 1.1 lies at the beginning, 1.2 after 4 KiB; others at the end.
  const at = [0, 4096].find((offset) => view.length >= offset + 96 && view.readUInt32LE(offset) === 0xa92b4efc);
  if (at === undefined) return { ...array, ...(content.label === undefined ? {} : { name: content.label }) };
  const name = view.toString('latin1', at + 32, at + 64).replace(/\0.*$/s, '');
  return {
    ...array,
    ...(name === '' ? {} : { name }),
    level: view.readInt32LE(at + 72),
    members: view.readUInt32LE(at + 92),
  };
}

/** LVM2's label and metadata area (lib/format_text/layout.h): its text begins with the group's name, then its id. */
function volumeGroup(view: Buffer): PartitionFacts['group'] {
  const label = [0, 512, 1024, 1536].find((offset) => view.toString('latin1', offset, offset + 8) === 'LABELONE');
  if (label === undefined) return undefined;
  const areas = view.indexOf(' LVM2 x[5A%r0N*>', label, 'latin1');
  if (areas < 4 || areas + 40 > view.length) return undefined;
  const start = Number(view.readBigUInt64LE(areas + 20));
  const offset = Number(view.readBigUInt64LE(areas + 36));
  if (!Number.isSafeInteger(start + offset) || start + offset >= view.length) return undefined;
  const text = view.toString('latin1', start + offset, Math.min(view.length, start + offset + 512));
  const match = /^([\w.+-]+) \{\s*id = "([\w-]+)"/.exec(text);
  return match?.[1] === undefined ? undefined : { kind: 'lvm', id: match[2] ?? match[1], name: match[1] };
}
