import { z } from 'zod';
import { sourceStorageSchema } from './storage.ts';

export const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);
/** Lower case letters, digits, `.`, `_`, `-`; as in an OCI repository name. */
export const imageNameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9._-]{0,126}[a-z0-9])?$/, 'must be lower-case letters, digits, “.”, “_” or “-”');
/** A tag: a word that is not a version number. `latest` always means the newest version. */
export const tagSchema = z
  .string()
  .regex(
    /^(?!v?\d+$)(?!latest$)[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/,
    'must be letters, digits, “.”, “_” or “-”, and neither a version number nor “latest”',
  );

/** A file system of the golden machine, as `findmnt`/`lsblk` knew it. */
export const sourceFileSystemSchema = z.object({
  mountPoint: z.string(),
  type: z.string(),
  device: z.string(),
  uuid: z.string().optional(),
  label: z.string().optional(),
  options: z.string().optional(),
  /** Bytes. */
  size: z.number().optional(),
  used: z.number().optional(),
  /** Whether its content is part of the version. */
  captured: z.boolean(),
  /**
   * What it was captured from: `btrfs-snapshot`, `lvm-snapshot`, `frozen-copy`, `read-only` (it could not change), or `live`. Each of the
   * first four is the file system as it was at one moment. Absent where nothing was captured of it, and in older records.
   */
  consistency: z.string().optional(),
});

export const sourcePartitionSchema = z.object({
  number: z.number(),
  /** Bytes from the start of the disk. */
  start: z.number(),
  size: z.number(),
  /** GPT type GUID or MBR type byte, as sfdisk prints it. */
  type: z.string(),
  name: z.string().optional(),
  fileSystem: z.string().optional(),
  mountPoint: z.string().optional(),
});

export const sourceDiskSchema = z.object({
  name: z.string(),
  size: z.number(),
  sectorSize: z.number(),
  label: z.enum(['gpt', 'dos', 'unknown']),
  model: z.string().optional(),
  serial: z.string().optional(),
  transport: z.string().optional(),
  rotational: z.boolean().optional(),
  partitions: z.array(sourcePartitionSchema),
});

/** What the golden machine was when it was captured; recorded with the version, the base of its layout. */
export const sourceFactsSchema = z.object({
  /** `ssh://root@host`, or the directory. */
  location: z.string(),
  hostName: z.string().optional(),
  /** `uname -m`: x86_64, aarch64 … */
  architecture: z.string().optional(),
  kernel: z.string().optional(),
  /** `/etc/os-release`: `debian`, `12`, and the pretty name. */
  system: z.object({ id: z.string(), version: z.string().optional(), name: z.string() }).optional(),
  bootMode: z.enum(['bios', 'uefi', 'unknown']),
  /** Kernel command line, without what is the machine's own (root=, BOOT_IMAGE=, initrd=). */
  kernelOptions: z.string().optional(),
  disks: z.array(sourceDiskSchema),
  fileSystems: z.array(sourceFileSystemSchema),
  /** How these lie on the disks: arrays, volume groups, encryption, fstab. Absent in older records, and for a directory of a machine. */
  storage: sourceStorageSchema.optional(),
});
export type SourceFacts = z.infer<typeof sourceFactsSchema>;

export const versionStatsSchema = z.object({
  entries: z.number(),
  files: z.number(),
  /** Sum of file sizes (holes counted). */
  logicalBytes: z.number(),
  /** Bytes that a file system must really hold: holes left out, every hard link once. */
  contentBytes: z.number(),
  /** Chunks and compressed bytes that this version added to the store. */
  newChunks: z.number(),
  newBytes: z.number(),
});
export type VersionStats = z.infer<typeof versionStatsSchema>;

/** File systems that cannot be computed from a version: they are made once, where the store is. */
export const builtFileSystems = ['xfs', 'btrfs'] as const;

/** What says of a version that it is no tree, but a file system that was made of one, for machines that start before they are installed. */
export const liveSourceSchema = z.object({
  /** The version that is in it. */
  image: imageNameSchema,
  number: z.int().positive(),
  digest: digestSchema,
  fileSystem: z.enum(builtFileSystems),
  uuid: z.string(),
  /** Bytes of the file system, holes counted. */
  size: z.int().positive(),
});
export type LiveSource = z.infer<typeof liveSourceSchema>;

/**
 * One version of an image: what is signed. Kept as canonical JSON (keys sorted, no white space); fields that a reader
 * does not know are kept and covered by the signature.
 */
export const versionRecordSchema = z.looseObject({
  format: z.literal(1),
  image: imageNameSchema,
  /** Counts from 1 within the image, and never comes twice. */
  number: z.int().positive(),
  /** SHA-256 of the manifest. */
  digest: digestSchema,
  /** Length of the manifest in bytes, uncompressed. */
  manifestBytes: z.int().nonnegative(),
  parent: digestSchema.optional(),
  /** ISO 8601, UTC. */
  created: z.string(),
  message: z.string().optional(),
  /** ISO 8601, UTC: from then on the record vouches for nothing (`docs/trust.md`); absent: never. */
  expires: z.iso.datetime().optional(),
  /** Security floor: versions of the image with a smaller number are withdrawn. Never greater than `number`. */
  floor: z.int().positive().optional(),
  source: sourceFactsSchema,
  stats: versionStatsSchema,
  /** Globs given by the user, and mount points left out because their file systems hold nothing of the machine. */
  excluded: z.array(z.string()),
  /** Secrets that were left out: raw paths. */
  scrubbed: z.array(z.string()),
  /** What was not captured as it should: files that would not hold still, entries that could not be read. */
  warnings: z.array(z.string()),
  live: liveSourceSchema.optional(),
});
export type VersionRecord = z.infer<typeof versionRecordSchema>;

/** A version as it is listed: its record, its tags, and the identity of the key that signed it. */
export const versionListingSchema = z.object({
  record: versionRecordSchema,
  tags: z.array(z.string()),
  signedBy: z.string().optional(),
  /** All keys that it says it is signed by, where they are several. */
  signers: z.array(z.string()).optional(),
  /** A later version of the image names a floor above this one: no machine takes it. */
  withdrawn: z.boolean().optional(),
  /** File systems that were made of it, for live systems, as they are named: `web.live-xfs:2`. */
  liveSources: z.array(z.string()).optional(),
});
export type VersionListing = z.infer<typeof versionListingSchema>;
