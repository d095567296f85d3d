import { z } from 'zod';

/** Bytes of a safety copy that a server takes, and letters of the same in base64. */
export const bootCopyLimit = 32 << 20;
export const bootCopyLetters = Math.ceil(bootCopyLimit / 3) * 4;

const hexSchema = z.string().regex(/^[0-9a-f]{64}$/);
const bytesSchema = z.int().nonnegative();
/** A member of the archive: relative, no way out of it. */
const memberSchema = z
  .string()
  .max(1000)
  .regex(/^(?!\/)(?!.*(?:^|\/)\.{0,2}(?:\/|$))[^\0]+$/);

/** What a safety copy can bring back, each alone. */
export const bootParts = ['table', 'code', 'gap', 'bios-boot', 'esp', 'variables'] as const;
export const bootPartSchema = z.enum(bootParts);
export type BootPart = z.infer<typeof bootPartSchema>;

/** Which disk it was: as far as the disk and the kernel say. */
export const bootDiskSchema = z.object({
  path: z.string(),
  size: bytesSchema,
  sectorSize: z.int().positive(),
  model: z.string().optional(),
  serial: z.string().optional(),
  wwn: z.string().optional(),
});
export type BootDisk = z.infer<typeof bootDiskSchema>;

const partitionSchema = z.object({
  number: z.int().positive(),
  start: bytesSchema,
  size: bytesSchema,
  type: z.string(),
  uuid: z.string().optional(),
  name: z.string().optional(),
  active: z.boolean().optional(),
  /** Of a GPT, where any is set. */
  flags: z.string().optional(),
  /** What blkid found in it. */
  content: z.object({ type: z.string(), uuid: z.string().optional(), label: z.string().optional() }).optional(),
});
export type BootPartition = z.infer<typeof partitionSchema>;

export const bootTableSchema = z.object({
  label: z.enum(['gpt', 'mbr', 'none']),
  id: z.string().optional(),
  /** Over what the table says, whichever of its copies said it. */
  hash: hexSchema,
  partitions: z.array(partitionSchema),
});
export type BootTable = z.infer<typeof bootTableSchema>;

/** Bytes of the disk as they were. */
const areaSchema = z.object({
  part: z.enum(['table', 'code', 'gap', 'bios-boot', 'esp']),
  /** `boot-code`, `gap`, `primary`, `logical-5`, `partition-1`; of an ESP only what another copy is about to replace. */
  name: z.string().regex(/^[a-z0-9-]{1,80}$/),
  /** From the beginning of the disk. */
  offset: bytesSchema,
  length: bytesSchema,
  sha256: hexSchema,
  file: memberSchema,
});
export type BootArea = z.infer<typeof areaSchema>;

/** A FAT file system: its files, and what else it takes to make it again byte for byte. */
const volumeSchema = z.object({
  partition: z.int().positive(),
  /** From the beginning of the disk. */
  offset: bytesSchema,
  size: bytesSchema,
  volumeId: z.string().regex(/^[0-9A-F]{8}$/),
  label: z.string(),
  files: z.array(
    z.object({
      /** Raw bytes as Latin-1. */
      path: memberSchema,
      size: bytesSchema,
      sha256: hexSchema,
      /** Seconds since 1970. */
      modified: z.int(),
      /** In the volume. */
      runs: z.array(z.object({ offset: bytesSchema, length: bytesSchema })),
      file: memberSchema,
    }),
  ),
  directories: z.array(z.string()),
  /** Tables and directories: these runs, joined in one member. */
  own: z.object({
    runs: z.array(z.object({ offset: bytesSchema, length: bytesSchema })),
    sha256: hexSchema,
    file: memberSchema,
  }),
});
export type BootVolume = z.infer<typeof volumeSchema>;

/** A boot variable of the firmware, as efivarfs has it: four bytes of attributes, then the value. */
const variableSchema = z.object({ name: z.string(), size: bytesSchema, sha256: hexSchema, file: memberSchema });

/** An environment block of GRUB, kept to be looked at: `grubenv`. */
const environmentSchema = z.object({ path: z.string(), values: z.record(z.string(), z.string()), file: memberSchema });

/** `copy.json`, the first member of a safety copy (docs/boot-copies.md). */
export const bootCopySchema = z.object({
  imprint: z.literal('boot-copy'),
  format: z.literal(1),
  /** ISO 8601. */
  created: z.string().max(40),
  machine: z.object({
    name: z.string(),
    /** Of its firmware: boot variables go back to no other. */
    uuid: z.string().optional(),
    firmware: z.enum(['bios', 'uefi']).optional(),
  }),
  disk: bootDiskSchema,
  table: bootTableSchema,
  areas: z.array(areaSchema),
  volumes: z.array(volumeSchema),
  variables: z.array(variableSchema),
  environments: z.array(environmentSchema),
  /** What was wrong with the disk then, in words. */
  problems: z.array(z.string()),
});
export type BootCopy = z.infer<typeof bootCopySchema>;

/** One thing that is not as the copy has it. */
export const bootDifferenceSchema = z.object({
  part: bootPartSchema,
  /** What, where: `boot code`, `EFI/BOOT/BOOTX64.EFI on partition 1`. */
  what: z.string(),
  /** How it differs, in words. */
  how: z.string(),
});
export type BootDifference = z.infer<typeof bootDifferenceSchema>;
