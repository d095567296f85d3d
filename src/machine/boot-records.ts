import { z } from 'zod';
import { rootFileSystemSchema } from '../contract/machine.ts';
import type { BootEntry } from './boot-pointer.ts';
import { isEntryId } from './boot-pointer-block.ts';
import type { InstalledLayout } from './installed-layout.ts';

/** Why a trial failed, as the trial itself wrote it down before it gave up. */
export interface BootFailure {
  /** Of the pointer by which it was booted. */
  sequence: number;
  entry: string;
  reason: string;
  /** ISO 8601, by that machine's clock. */
  time: string;
}

/** Names that files of an entry may have beside `entry.cfg` and `entry.json`, in the order in which GRUB loads them. */
export const entryFileNames = ['vmlinuz', 'initrd', 'addition.cpio'] as const;
export type EntryFileName = (typeof entryFileNames)[number];

/** Bytes of `failure.json`: written in place, so that noting a failure changes no directory. */
export const failureSize = 4096;

const entrySchema = z.object({
  id: z.string().refine(isEntryId),
  slot: z.string(),
  system: z.string().max(100).optional(),
  reference: z.string(),
  digest: z.string(),
  title: z.string(),
  kernelVersion: z.string(),
  kernelOptions: z.array(z.string()),
  files: z.partialRecord(z.enum(entryFileNames), z.string().regex(/^[0-9a-f]{64}$/)),
  created: z.string(),
});

const slotSchema = z.object({
  name: z.string(),
  uuid: z.string(),
  partitionUuid: z.string(),
  fileSystem: rootFileSystemSchema,
  device: z.string().optional(),
  subvolume: z.string().optional(),
});

const below = { name: z.string(), root: z.literal(true).optional() };
const stackSchema = z.object({
  raids: z.array(z.object({ ...below, uuid: z.string(), metadata: z.string() })),
  crypts: z.array(z.object({ ...below, uuid: z.string(), keyFile: z.string().optional() })),
  groups: z.array(z.object(below)),
});

const layoutSchema = z.object({
  format: z.literal(1),
  layout: z.enum(['single', 'slots', 'files']),
  boot: z.string(),
  esp: z.string(),
  swap: z.string().optional(),
  moreSwap: z.array(z.string()).optional(),
  swapFiles: z.array(z.string()).optional(),
  zram: z.array(z.string()).optional(),
  stack: stackSchema.optional(),
  boots: z.array(z.string()).optional(),
  slots: z.array(slotSchema),
  host: slotSchema.pick({ uuid: true, partitionUuid: true, fileSystem: true }).optional(),
  data: z
    .array(
      z.object({
        ...{ uuid: z.string(), mount: z.string(), type: z.string(), options: z.string() },
        kept: z.literal(true).optional(),
      }),
    )
    .optional(),
  shared: z
    .array(
      z.object({
        ...{ source: z.string(), mount: z.string(), type: z.enum(['bind', 'nfs']) },
        options: z.string().optional(),
      }),
    )
    .optional(),
});

const failureSchema = z.object({
  sequence: z.int(),
  entry: z.string(),
  reason: z.string(),
  time: z.string(),
});

/** `entry.json`; undefined where it is none. */
export function parseBootEntry(text: string): BootEntry | undefined {
  return parsed(text, entrySchema) as BootEntry | undefined;
}

/** `layout.json`; undefined where it is none, or of a later form. */
export function parseInstalledLayout(text: string): InstalledLayout | undefined {
  return parsed(text, layoutSchema) as InstalledLayout | undefined;
}

/** `failure.json`; undefined where nothing is noted. */
export function parseBootFailure(text: string): BootFailure | undefined {
  return parsed(text, failureSchema);
}

/** Text of `failure.json` in its fixed length; a reason that is too long is cut. */
export function renderBootFailure(failure: BootFailure | undefined): string {
  if (failure === undefined) return ' '.repeat(failureSize - 1).concat('\n');
  const { sequence, entry, reason, time } = failure;
  // Each character may become six when it is written as JSON in ASCII.
  const short = reason.length > 500 ? `${reason.slice(0, 499)}…` : reason;
  const text = JSON.stringify({
    sequence,
    entry: entry.slice(0, 40),
    reason: short,
    time: time.slice(0, 40),
  }).replaceAll(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `${text.padEnd(failureSize - 1, ' ')}\n`;
}

function parsed<Value>(text: string, schema: z.ZodType<Value>): Value | undefined {
  try {
    const result = schema.safeParse(JSON.parse(text.replaceAll('\0', ' ')));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}
