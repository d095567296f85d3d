import { z } from 'zod';
import { agentReportSchema } from './agent-report.ts';
import { digestSchema } from './image.ts';
import { machineRulesSchema } from './machine-rules.ts';
import { eraseKindsSchema } from './partition-kind.ts';
import { groupsSchema } from './scripts.ts';

export const macSchema = z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
export const machineNameSchema = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i);

/** What lies on a partition, or on a disk without a table. */
export const diskContentSchema = z.object({
  /** As blkid and wipefs name it: `ext4`, `ntfs`, `linux_raid_member`, `LVM2_member`, `crypto_LUKS`. */
  type: z.string(),
  label: z.string().optional(),
  uuid: z.string().optional(),
  /** Bytes in use, where the superblock tells. */
  used: z.number().optional(),
});
export type DiskContent = z.infer<typeof diskContentSchema>;

export const partitionFactsSchema = z.object({
  number: z.number(),
  /** `/dev/vda1`. */
  path: z.string(),
  /** Bytes. */
  start: z.number(),
  size: z.number(),
  /** GPT type GUID in upper case, or an MBR's two hexadecimal digits. */
  type: z.string(),
  /** GPT: name and UUID of the partition itself. */
  name: z.string().optional(),
  uuid: z.string().optional(),
  /** GPT attributes as sfdisk prints them. */
  attributes: z.string().optional(),
  /** MBR: the active one. */
  active: z.boolean().optional(),
  content: diskContentSchema.optional(),
  /** What a RAID member or physical volume belongs to. */
  group: z
    .object({
      kind: z.enum(['raid', 'lvm']),
      id: z.string(),
      name: z.string().optional(),
      level: z.number().optional(),
      members: z.number().optional(),
    })
    .optional(),
});
export type PartitionFacts = z.infer<typeof partitionFactsSchema>;

/** A block device that could be installed on, as the imager found it (`lsblk --json --bytes`). */
export const diskFactsSchema = z.object({
  /** `/dev/vda`. */
  path: z.string(),
  size: z.number(),
  sectorSize: z.number(),
  model: z.string().optional(),
  serial: z.string().optional(),
  wwn: z.string().optional(),
  transport: z.string().optional(),
  rotational: z.boolean().optional(),
  removable: z.boolean(),
  readOnly: z.boolean(),
  /** What is on it: `gpt: 3 partitions (vfat, ext4, swap)`, `empty`, `LVM2_member`. */
  content: z.string(),
  /** Why it cannot be written now: mounted, part of an active RAID or LVM, used as swap. Empty: it is free. */
  inUse: z.array(z.string()),
  /** The partition table; absent where there is none, and in facts of older agents, which tell of no partitions either. */
  table: z.object({ type: z.enum(['gpt', 'mbr', 'other']), id: z.string().optional() }).optional(),
  /** In the order in which they lie. */
  partitions: z.array(partitionFactsSchema).optional(),
  /** What lies on the disk itself, where that is no table. */
  whole: diskContentSchema.extend({ group: partitionFactsSchema.shape.group }).optional(),
});
export type DiskFacts = z.infer<typeof diskFactsSchema>;

export const networkInterfaceFactsSchema = z.object({
  name: z.string(),
  mac: macSchema,
  address: z.string().optional(),
  driver: z.string().optional(),
  /** Link is up. */
  carrier: z.boolean().optional(),
});

/** What a machine says of itself. */
export const machineFactsSchema = z.object({
  uuid: z.string().optional(),
  serial: z.string().optional(),
  vendor: z.string().optional(),
  product: z.string().optional(),
  architecture: z.string(),
  cpu: z.string(),
  cores: z.number(),
  /** Bytes. */
  memory: z.number(),
  firmware: z.enum(['bios', 'uefi']),
  interfaces: z.array(networkInterfaceFactsSchema),
  disks: z.array(diskFactsSchema),
});
export type MachineFacts = z.infer<typeof machineFactsSchema>;

export const machineStates = [
  'discovered',
  'registered',
  'assigned',
  'installing',
  'installed',
  'healthy',
  'updating',
  'trial',
  'reverted',
  'failed',
] as const;
export const machineStateSchema = z.enum(machineStates);
export type MachineState = z.infer<typeof machineStateSchema>;

/**
 * Which disk may be written. One of `only` (the default: exactly one candidate), a device path, or conditions joined by
 * commas that must leave exactly one: `serial=…`, `model=GLOB`, `wwn=…`, `transport=nvme`, `size>=200G`, `size<=2T`,
 * `smallest`, `largest`, `first` (by path).
 */
export const diskRuleSchema = z.string().min(1).max(500);

export const rootFileSystemSchema = z.enum(['ext4', 'xfs', 'btrfs']);

/** How the disk of a machine is used: one root; equal system partitions; image files on a host partition (docs/install.md). */
export const slotLayoutSchema = z.enum(['single', 'slots', 'files']);
/**
 * The same; several systems beside each other, which are slots with a file system for all of them (`multi`); or a layout of one's own
 * (docs/layouts.md). An imager that does not know one of these refuses the order.
 */
export const installLayoutSchema = z.enum([...slotLayoutSchema.options, 'multi', 'own']);
/** A layout as somebody wrote it: the file's name, for messages, and its text. */
export const ownLayoutSchema = z.object({ name: z.string().min(1).max(300), text: z.string().max(1 << 20) });
/** System partitions of the layouts `slots` and `multi`. */
export const slotCountSchema = z.int().min(2).max(8);
/** Bytes of `/share` of the layout `multi`. */
export const shareSizeSchema = z
  .int()
  .min(64 * 1024 ** 2)
  .max(2 ** 50);
/** Where the layout `multi` has `/home`: in each system, on `/share` for all of them, or on a server (NFS). */
export const homePlaceSchema = z
  .string()
  .max(500)
  .regex(/^(local|share|([\w.-]+|\[[0-9a-fA-F:]+\]):\/[^\0\s,]*)$/, 'must be local, share or SERVER:/path');

/** How an install is to be done; each may be left out. */
export const installOptionsSchema = z.object({
  disk: diskRuleSchema.optional(),
  /** Default: `single`. */
  layout: installLayoutSchema.optional(),
  /** With the layout `own`; then slots, fileSystem and swap stand in it. */
  own: ownLayoutSchema.optional(),
  slots: slotCountSchema.optional(),
  /** Of the root, of each slot, or of the host partition. */
  fileSystem: rootFileSystemSchema.optional(),
  /** Bytes of swap; 0 or absent: none. */
  swap: z.int().nonnegative().optional(),
  /** With the layout `multi`; absent: what the slots leave. */
  share: shareSizeSchema.optional(),
  /** With the layout `multi`; absent: `local`. */
  home: homePlaceSchema.optional(),
  /** Kernel options beside those that the image recorded. */
  kernelOptions: z.string().optional(),
  /** What may be lost beside Linux; with the layout `own` that stands in it. */
  erase: eraseKindsSchema.optional(),
  /** `none`: no copy of what boots from the disks now is made before they are written. */
  bootCopy: z.literal('none').optional(),
  /** The machine is in use at once, and its content comes to the disk meanwhile, without a restart. */
  live: z.boolean().optional(),
  /** With `live`: bytes of content per second that go to the disk; absent: as fast as it goes. */
  rate: z.int().positive().optional(),
  /** What the machine does when it is done. */
  afterwards: z.enum(['reboot', 'poweroff', 'wait']).optional(),
});
export type InstallOptions = z.infer<typeof installOptionsSchema>;

/** A machine as the server keeps it. */
export const machineSchema = z.object({
  /** The name, or for one that was only discovered `mac-525400123456`. */
  name: machineNameSchema,
  /** Whether a person named it. */
  approved: z.boolean(),
  state: machineStateSchema,
  macs: z.array(macSchema),
  uuid: z.string().optional(),
  /** Its fixed IPv4 address, handed out by DHCP. */
  address: z.string().optional(),
  facts: machineFactsSchema.optional(),
  /** Image reference that it should have: `web`, `web:v3`, `web@sha256:…`. */
  image: z.string().optional(),
  /** Its own install options, used for every install. */
  options: installOptionsSchema,
  /** The groups that it is in, the one that counts most first. */
  groups: groupsSchema.optional(),
  /** What it keeps of its own through updates, beside the usual. */
  rules: machineRulesSchema.optional(),
  /** The one-shot order to install, while it stands. */
  order: z.object({ id: z.string(), image: z.string(), digest: digestSchema, placed: z.number() }).optional(),
  /** The one-shot order to its agent, while it stands. */
  update: z
    .object({
      id: z.string(),
      kind: z.enum(['update', 'revert']),
      image: z.string(),
      digest: digestSchema,
      placed: z.number(),
      notBefore: z.number().optional(),
      phase: z.enum(['waiting', 'running', 'trial']),
    })
    .optional(),
  /** How the machine is, as its agent last said. */
  agent: agentReportSchema.extend({ time: z.number() }).optional(),
  /** The version on its disk. */
  installed: z.object({ image: z.string(), digest: digestSchema, time: z.number() }).optional(),
  /** Why it is in state `failed`, or what it was refused for. */
  problem: z.object({ code: z.string(), message: z.string(), hint: z.string(), time: z.number() }).optional(),
  /** When it was last heard of, and the task that runs on it. */
  lastSeen: z.number().optional(),
  task: z.string().optional(),
  created: z.number(),
});
export type Machine = z.infer<typeof machineSchema>;
