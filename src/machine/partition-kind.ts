import type { DiskContent, PartitionFacts } from '../contract/machine.ts';
import type { PartitionKind } from '../contract/partition-kind.ts';
import { extendedTypes, gptTypes, makersLabels, mbrTypes, type PartitionType } from './partition-types.ts';

/** Signatures (as blkid and wipefs name them) that say more than any type. */
const signatures: Readonly<Record<string, PartitionKind>> = {
  ...{ linux_raid_member: 'raid', LVM2_member: 'lvm', crypto_LUKS: 'luks', BitLocker: 'windows', ntfs: 'windows' },
  ...{
    ext2: 'linux',
    ext3: 'linux',
    ext4: 'linux',
    ext4dev: 'linux',
    xfs: 'linux',
    btrfs: 'linux',
    f2fs: 'linux',
    swap: 'linux',
  },
  ...{ jfs: 'linux', reiserfs: 'linux', swsuspend: 'linux', bcache: 'linux', erofs: 'linux', squashfs: 'linux' },
  ...{
    zfs_member: 'other',
    apfs: 'other',
    hfs: 'other',
    hfsplus: 'other',
    ufs: 'other',
    VMFS: 'other',
    ceph_bluestore: 'other',
  },
  // Members of RAIDs that firmware knows.
  ...{
    isw_raid_member: 'other',
    ddf_raid_member: 'other',
    nvidia_raid_member: 'other',
    promise_fasttrack_raid_member: 'other',
  },
};

/** What a partition is, for the question whether it may be lost. Its makers' word counts before its content, and that before its type. */
export function partitionKind(partition: Pick<PartitionFacts, 'type' | 'content' | 'name'>): PartitionKind {
  const { content } = partition;
  const typed = partitionType(partition.type);
  if (typed?.kind === 'recovery' || typed?.kind === 'vendor' || typed?.kind === 'esp') return typed.kind;
  const label = [content?.label, partition.name].find((text) => text !== undefined && kindOfLabel(text) !== undefined);
  const found = content === undefined ? undefined : signatures[content.type];
  if (label !== undefined && (found === undefined || found === 'windows')) return kindOfLabel(label) ?? 'vendor';
  if (found !== undefined) return found;
  // Nothing in it that anybody knows: a type that says “data” is no proof that there is none.
  return typed?.kind ?? 'unknown';
}

/** What lies on a disk that has no table; `empty` where nothing does. */
export function contentKind(content: DiskContent | undefined): PartitionKind {
  return content === undefined ? 'empty' : (signatures[content.type] ?? 'unknown');
}

/** What a table's type means, undefined where nobody knows. */
export function partitionType(code: string): PartitionType | undefined {
  return code.length > 4 ? gptTypes[code.toUpperCase()] : mbrTypes[mbrCode(code)];
}

/** Whether an MBR's partition is the one that holds the logical ones. */
export function isExtended({ type }: Pick<PartitionFacts, 'type'>): boolean {
  return type.length <= 4 && extendedTypes.has(mbrCode(type));
}

/** `0x7`, `7`, `07` → `07`. */
function mbrCode(code: string): string {
  return code.toLowerCase().replace(/^0x/, '').padStart(2, '0');
}

function kindOfLabel(text: string): PartitionKind | undefined {
  return makersLabels.find(([pattern]) => pattern.test(text.trim()))?.[1];
}

/** `Windows (ntfs, “OS”)`: what a partition is, in a few words. */
export function describePartition(partition: Pick<PartitionFacts, 'type' | 'content' | 'name' | 'group'>): string {
  const { content, group, name } = partition;
  const title = partitionType(partition.type)?.title ?? (partition.type === '' ? 'unknown' : `type ${partition.type}`);
  const called = content?.label ?? name;
  const words = [
    content === undefined ? title : (plainNames[content.type] ?? content.type),
    called === undefined || called === '' ? undefined : `“${called}”`,
    group?.name === undefined ? undefined : `of ${group.kind === 'lvm' ? 'volume group' : 'array'} ${group.name}`,
  ];
  const kind = kindNames[partitionKind(partition)];
  const inner = words.filter((word) => word !== undefined).join(' ');
  return kind === undefined ? inner : `${kind} (${inner})`;
}

const plainNames: Readonly<Record<string, string>> = {
  ...{
    linux_raid_member: 'RAID member',
    LVM2_member: 'LVM physical volume',
    crypto_LUKS: 'LUKS',
    swsuspend: 'hibernated swap',
  },
};
const kindNames: { readonly [Kind in PartitionKind]?: string } = {
  ...{ windows: 'Windows', recovery: 'recovery', vendor: "maker's", esp: 'EFI system', other: 'another system' },
};
