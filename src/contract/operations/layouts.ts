import { z } from 'zod';
import { diskFactsSchema } from '../machine.ts';
import { defineOperation } from '../operation.ts';
import { partitionKindSchema } from '../partition-kind.ts';
import { imageReferenceSchema } from './machines.ts';

/** A layout as somebody named it: text of a file, a built-in one, or that of an image's golden machine. */
const namedLayoutSchema = z.object({
  /** A file, `single`, `slots` or `files`, or an image: `web:3`. */
  name: z.string().min(1),
  /** Text of the file; absent: it is none. */
  text: z.string().optional(),
});

const problemSchema = z.object({ place: z.string(), problem: z.string() });

export const layoutCheck = defineOperation({
  name: 'layout.check',
  summary: 'Look for everything that is wrong with a layout, before any machine is seen',
  input: namedLayoutSchema,
  output: z.object({ name: z.string(), problems: z.array(problemSchema) }),
  errors: ['layout-invalid', 'source-not-found', 'image-not-found'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});

export const layoutShow = defineOperation({
  name: 'layout.show',
  summary: 'Show a layout: a built-in one, that of a file, or that of an image’s golden machine',
  input: namedLayoutSchema,
  output: z.object({
    name: z.string(),
    /** As YAML, with remarks. */
    text: z.string(),
  }),
  errors: ['layout-invalid', 'source-not-found', 'image-not-found'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});

export const layoutCapture = defineOperation({
  name: 'layout.capture',
  summary:
    'Write down what the disks of a golden machine are for, as a layout that can be changed and laid on other disks',
  input: z.object({
    /** `/`: this machine; `ssh://…`; or an image, of whose golden machine the record tells. */
    source: z.string().min(1).default('/'),
    identity: z.string().optional(),
    sshOptions: z.array(z.string()).default([]),
  }),
  output: z.object({
    source: z.string(),
    /** As YAML, with remarks where each value came from. */
    text: z.string(),
    /** What somebody must still decide. */
    warnings: z.array(z.string()),
  }),
  errors: ['golden-unreachable', 'golden-unfit', 'golden-lost', 'source-not-found', 'image-not-found', 'interrupted'],
  effect: 'read',
  runsOn: 'anywhere',
  long: true,
});

const solvedFileSystemSchema = z.object({
  type: z.string(),
  label: z.string().optional(),
  mount: z.string().optional(),
});
const carrierSchema = z.object({
  device: z.string(),
  /** Bytes. */
  size: z.number(),
  role: z.string().optional(),
  fileSystem: solvedFileSystemSchema.optional(),
});

/** A disk as it is and as it will be; all in bytes. */
export const solvedDiskSchema = z.object({
  name: z.string(),
  before: diskFactsSchema,
  table: z.enum(['gpt', 'mbr']),
  tableKept: z.boolean(),
  partitions: z.array(
    carrierSchema.extend({
      name: z.string().optional(),
      number: z.number(),
      start: z.number(),
      type: z.string(),
      /** It is there already, and stays exactly as it is: what it is, in words. */
      kept: z.string().optional(),
      extended: z.boolean().optional(),
      active: z.boolean().optional(),
    }),
  ),
});
export type SolvedDiskValue = z.infer<typeof solvedDiskSchema>;

/** Something that will not be there any more. */
export const lossSchema = z.object({
  disk: z.string(),
  path: z.string(),
  what: z.string(),
  kind: partitionKindSchema,
  bytes: z.number(),
  used: z.number().optional(),
});

export const layoutSolutionSchema = z.object({
  machine: z.string(),
  reference: z.string().optional(),
  disks: z.array(solvedDiskSchema),
  raids: z.array(
    carrierSchema.extend({ name: z.string(), level: z.number(), members: z.array(z.string()), missing: z.number() }),
  ),
  crypts: z.array(carrierSchema.extend({ name: z.string(), on: z.string(), unlock: z.string() })),
  volumeGroups: z.array(
    z.object({
      name: z.string(),
      physicalVolumes: z.array(z.string()),
      size: z.number(),
      free: z.number(),
      volumes: z.array(
        carrierSchema.extend({ name: z.string(), thinPool: z.boolean().optional(), pool: z.string().optional() }),
      ),
    }),
  ),
  mounts: z.array(
    z.object({
      device: z.string(),
      mount: z.string(),
      type: z.string(),
      options: z.string(),
      subvolume: z.string().optional(),
      kept: z.boolean(),
    }),
  ),
  lost: z.array(lossSchema),
  notes: z.array(z.string()),
});
export type LayoutSolutionValue = z.infer<typeof layoutSolutionSchema>;

export const layoutSolve = defineOperation({
  name: 'layout.solve',
  summary: 'Say what a layout means on the disks of a machine, and what would be lost; do nothing',
  input: namedLayoutSchema.extend({
    /** For messages. */
    machine: z.string(),
    /** As the machine tells them; whether they are in use counts only for an install. */
    disks: z.array(diskFactsSchema),
    firmware: z.enum(['bios', 'uefi']),
    /** The version that is to have room; absent: only what the layout says itself. */
    image: imageReferenceSchema.optional(),
  }),
  output: layoutSolutionSchema,
  errors: [
    ...(['layout-invalid', 'layout-unsolvable', 'disk-none', 'disk-ambiguous', 'disk-too-small'] as const),
    ...(['disk-holds-data', 'disk-shared', 'image-unfit', 'image-not-found', 'source-not-found'] as const),
  ],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});
