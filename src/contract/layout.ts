import { z } from 'zod';
import { parseBytes } from '../foundation/bytes.ts';
import { diskRuleSchema } from './machine.ts';
import { partitionKindSchema } from './partition-kind.ts';

/**
 * A layout: what the disks of a machine are to be used for, as intent (docs/layouts.md). Flat lists that name each other; every scalar may
 * come as text, as YAML's failsafe schema gives it, or as JSON's number or boolean. Sizes are in bytes once parsed.
 */

/** What a partition or volume is there for. `foreign`: of another system, never made, only kept. */
const roleSchema = z.enum([
  ...(['bios-boot', 'esp', 'boot', 'root', 'slot', 'host'] as const),
  ...(['swap', 'data', 'share', 'home', 'foreign'] as const),
]);
export type LayoutRole = z.infer<typeof roleSchema>;

export const layoutFileSystems = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'vfat', 'exfat', 'ntfs'] as const;
export const raidLevels = [0, 1, 5, 6, 10] as const;
export type RaidLevel = (typeof raidLevels)[number];

/** A scalar as text, whichever way it came. */
const asText = (value: unknown) => (typeof value === 'number' || typeof value === 'boolean' ? String(value) : value);
const text = <Schema extends z.ZodType>(schema: Schema) => z.preprocess(asText, schema);
const flag = text(z.enum(['true', 'false']).transform((value) => value === 'true'));
const list = <Item extends z.ZodType>(item: Item) =>
  z.preprocess((value) => (value === '' || value === null ? [] : value), z.array(item)).default([]);
/** A list, or one item of it. */
const oneOrMore = <Item extends z.ZodType>(item: Item) =>
  z.preprocess((value) => (Array.isArray(value) ? value : [asText(value)]), z.array(item).min(1));

const nameSchema = text(
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, 'must be a name: letters, digits, “.”, “_” or “-”, at most 63'),
);
/** A name, or `GROUP/VOLUME`. */
const referenceSchema = text(
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}(\/[A-Za-z0-9][A-Za-z0-9_.-]{0,62})?$/, 'must be a name of this layout'),
);
const sizeSchema = text(
  z.string().transform((value, context) => {
    const bytes = parseBytes(value);
    if (bytes !== undefined && Number.isSafeInteger(bytes)) return bytes;
    context.addIssue('must be a size, such as 512M, 20G or 1.5T');
    return z.NEVER;
  }),
);
const countSchema = (least: number, most: number) =>
  text(
    z
      .string()
      .regex(/^\d{1,6}$/, 'must be a whole number')
      .transform(Number)
      .refine((value) => value >= least && value <= most, `must be from ${least} to ${most}`),
  );
const mountPoint = text(
  z.string().regex(/^\/(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\0\s]*$/, 'must be an absolute path without blanks, . and ..'),
);
/** Options of mount, `noatime,nofail`. */
const mountOptions = text(z.string().regex(/^[^\s\0]+$/, 'must be mount options without blanks: noatime,nofail'));
/** Options of mkfs: words, never a shell's. */
const makeOptions = z.preprocess(
  (value) => (typeof value === 'string' ? value.split(/\s+/).filter((word) => word !== '') : value),
  z.array(text(z.string().regex(/^[\w@%+=:,.~^/-]+$/, 'must be plain words for mkfs'))),
);
const labelSchema = text(z.string().regex(/^[^\0\n"\\]{1,127}$/, 'must be a label'));

/** How large: one `size`, or from `min` to `max`, what is left being shared by `weight`. */
const room = {
  size: sizeSchema.optional(),
  min: sizeSchema.optional(),
  max: sizeSchema.optional(),
  weight: countSchema(0, 1000).optional(),
};

export const subvolumeSchema = z.strictObject({
  name: text(
    z
      .string()
      .regex(/^(?!\/)(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\0\s,]{1,200}$/, 'must be a subvolume’s path, such as @home'),
  ),
  mount: mountPoint.optional(),
  options: mountOptions.optional(),
});

export const layoutFileSystemSchema = z.strictObject({
  type: z.enum(layoutFileSystems),
  label: labelSchema.optional(),
  mount: mountPoint.optional(),
  options: mountOptions.optional(),
  make: makeOptions.optional(),
  /** btrfs; one without `mount` is only made. */
  subvolumes: list(subvolumeSchema),
});
export type LayoutFileSystem = z.infer<typeof layoutFileSystemSchema>;

export const layoutPartitionSchema = z.strictObject({
  name: nameSchema,
  role: roleSchema.optional(),
  ...room,
  /** Must live through a reinstall: `true` (found by its label, else by its name), or `label=…`, `name=…`, `uuid=…`, `partuuid=…`, `number=…`. */
  keep: text(
    z
      .string()
      .regex(
        /^(true|false|(label|name|uuid|partuuid|number)=.+)$/,
        'must be true, or say what it is found by: label=data',
      ),
  )
    .transform((value) => (value === 'false' ? undefined : value))
    .optional(),
  /** Of a foreign one: what it is recognised as. */
  kind: partitionKindSchema.optional(),
  fileSystem: layoutFileSystemSchema.optional(),
});
export type LayoutPartition = z.infer<typeof layoutPartitionSchema>;

export const layoutDiskSchema = z.strictObject({
  name: nameSchema,
  /** A disk rule; default `only`. */
  match: text(diskRuleSchema).optional(),
  /** How many disks this is said of: `1` (default), `2`, `1-4`, `0-1`, `2+`. Each gets the same partitions. */
  count: text(z.string().regex(/^\d{1,2}(\+|-\d{1,2})?$/, 'must be a number of disks: 2, 1-4 or 2+')).optional(),
  /** Default `auto`: the table that is there where anything of it stays, else GPT. */
  table: z.enum(['auto', 'gpt', 'mbr']).optional(),
  /** What of the disk may be lost: `nothing` (default), `all`, kinds (`linux`), or partitions (`label=OLD`, `number=3`). */
  erase: oneOrMore(text(z.string().min(1))).optional(),
  partitions: list(layoutPartitionSchema),
});
export type LayoutDisk = z.infer<typeof layoutDiskSchema>;

export const layoutRaidSchema = z.strictObject({
  name: nameSchema,
  level: text(z.enum(['0', '1', '5', '6', '10']).transform((value) => Number(value) as RaidLevel)),
  members: list(referenceSchema),
  spares: list(referenceSchema),
  /** Superblock version; default 1.2. */
  metadata: text(z.enum(['0.90', '1.0', '1.1', '1.2'])).optional(),
  /** Bytes of a stripe’s piece. */
  chunk: sizeSchema.optional(),
  role: roleSchema.optional(),
  fileSystem: layoutFileSystemSchema.optional(),
});
export type LayoutRaid = z.infer<typeof layoutRaidSchema>;

export const layoutCryptSchema = z.strictObject({
  name: nameSchema,
  device: referenceSchema,
  version: text(z.enum(['1', '2'])).optional(),
  /** Who opens it at boot. No passphrase ever stands in a layout. */
  unlock: z.enum(['passphrase', 'key-file', 'tpm2']).optional(),
  keyFile: mountPoint.optional(),
  role: roleSchema.optional(),
  fileSystem: layoutFileSystemSchema.optional(),
});
export type LayoutCrypt = z.infer<typeof layoutCryptSchema>;

export const layoutVolumeSchema = z.strictObject({
  name: nameSchema,
  role: roleSchema.optional(),
  ...room,
  /** A pool for thin volumes. */
  thinPool: flag.optional(),
  /** Thin: takes its blocks from this pool; `size` is what it pretends to have. */
  pool: nameSchema.optional(),
  fileSystem: layoutFileSystemSchema.optional(),
});
export type LayoutVolume = z.infer<typeof layoutVolumeSchema>;

export const layoutGroupSchema = z.strictObject({
  name: nameSchema,
  physicalVolumes: list(referenceSchema),
  /** Default 4M. */
  extent: sizeSchema.optional(),
  volumes: list(layoutVolumeSchema),
});
export type LayoutGroup = z.infer<typeof layoutGroupSchema>;

export const layoutSwapSchema = z.strictObject({
  file: mountPoint.optional(),
  zram: flag.optional(),
  size: text(z.string().regex(/^(\d{1,3}%|\d.*)$/, 'must be a size, or a share of the memory: 50%')),
});

/** What is mounted beside file systems of these disks, in every system of the machine. */
export const layoutMountSchema = z.strictObject({
  /** A directory that is bound over another (`/share/tmp`), or a network file system's (`files:/home`, NFS). */
  source: text(
    z
      .string()
      .regex(
        /^([\w.-]+:|\[[0-9a-fA-F:]+\]:)?\/(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^\0\s]*$/,
        'must be an absolute path, or SERVER:/path',
      ),
  ),
  mount: mountPoint,
  options: mountOptions.optional(),
});
export type LayoutMount = z.infer<typeof layoutMountSchema>;

export const layoutSchema = z.strictObject({
  format: text(z.literal('1')).optional(),
  disks: list(layoutDiskSchema),
  raids: list(layoutRaidSchema),
  crypts: list(layoutCryptSchema),
  volumeGroups: list(layoutGroupSchema),
  /** Beside swap partitions and volumes, which are of the role `swap`. */
  swap: list(layoutSwapSchema),
  mounts: list(layoutMountSchema),
});
export type Layout = z.output<typeof layoutSchema>;

type Path = readonly (string | number)[];

/** The words that a layout knows at a place (`['disks', 0]`): for “did you mean”. */
export function wordsAt(path: Path): readonly string[] {
  const where = path.filter((part) => typeof part === 'string').join('.');
  return Object.keys((shapes[where] ?? layoutSchema).shape);
}

const shapes: Readonly<Record<string, { shape: object }>> = {
  disks: layoutDiskSchema,
  'disks.partitions': layoutPartitionSchema,
  'disks.partitions.fileSystem': layoutFileSystemSchema,
  'disks.partitions.fileSystem.subvolumes': subvolumeSchema,
  raids: layoutRaidSchema,
  'raids.fileSystem': layoutFileSystemSchema,
  'raids.fileSystem.subvolumes': subvolumeSchema,
  crypts: layoutCryptSchema,
  'crypts.fileSystem': layoutFileSystemSchema,
  'crypts.fileSystem.subvolumes': subvolumeSchema,
  volumeGroups: layoutGroupSchema,
  'volumeGroups.volumes': layoutVolumeSchema,
  'volumeGroups.volumes.fileSystem': layoutFileSystemSchema,
  'volumeGroups.volumes.fileSystem.subvolumes': subvolumeSchema,
  swap: layoutSwapSchema,
  mounts: layoutMountSchema,
};
