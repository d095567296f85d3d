import { z } from 'zod';
import { digestSchema } from '../image.ts';
import { defineOperation } from '../operation.ts';
import { listedEntrySchema, referenceSchema } from './images.ts';

/** One path that differs between two versions. */
export const listedChangeSchema = z.object({
  path: z.string(),
  rawPath: z.string().optional(),
  kind: z.enum(['added', 'removed', 'changed', 'moved']),
  /** Of the path after, or where it is gone, before. */
  type: listedEntrySchema.shape.type,
  /** Where a file that moved was. */
  from: z.string().optional(),
  /** What differs, with both sides in words; empty for paths that are new or gone. */
  attributes: z.array(z.object({ attribute: z.string(), before: z.string(), after: z.string() })),
  /** Length in bytes on each side, for files. */
  sizeBefore: z.number().optional(),
  sizeAfter: z.number().optional(),
  /** The package that it belongs to, by the package manager's own list. */
  package: z.string().optional(),
});
export type ListedChange = z.infer<typeof listedChangeSchema>;

/** One package that is not the same in two versions. */
export const packageChangeSchema = z.object({
  manager: z.enum(['dpkg', 'rpm', 'apk', 'pacman']),
  name: z.string(),
  architecture: z.string().optional(),
  /** As `package` of a path names it: `libc6:amd64`. */
  id: z.string(),
  before: z.string().optional(),
  after: z.string().optional(),
  /** Paths of it that differ. */
  paths: z.number(),
});

export const imageDiff = defineOperation({
  name: 'image.diff',
  summary: 'What differs between two versions, by package and by attribute',
  input: z.object({
    from: referenceSchema,
    /** Absent: `from` is compared with the version before it. */
    to: referenceSchema.optional(),
    /** Only this path and what lies below. */
    path: z.string().optional(),
    /** Differences of the modification time alone count as well. */
    times: z.boolean().default(false),
  }),
  output: z.object({
    from: z.object({ reference: z.string(), digest: digestSchema }),
    to: z.object({ reference: z.string(), digest: digestSchema }),
    packages: z.array(packageChangeSchema),
    changes: z.array(listedChangeSchema),
    /** Paths whose modification time alone differs, left out of `changes` unless `times`. */
    onlyTimes: z.number(),
  }),
  errors: ['image-not-found', 'path-not-found', 'corrupt-manifest', 'corrupt-pack', 'chunk-missing'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});
export type ImageDiff = z.infer<typeof imageDiff.output>;

/** Where a path, or a line of it, has its present state from. */
const blamedVersionSchema = z.object({
  number: z.number(),
  created: z.string(),
  message: z.string().optional(),
});

export const imageBlame = defineOperation({
  name: 'image.blame',
  summary: 'Which version gave a path what it has, line by line for text',
  input: z.object({ reference: referenceSchema, path: z.string().min(1) }),
  output: z.object({
    reference: z.string(),
    path: z.string(),
    /** Versions named below. */
    versions: z.array(blamedVersionSchema),
    /** For each attribute, the number of the version since which it is what it is. */
    attributes: z.array(z.object({ attribute: z.string(), since: z.number(), value: z.string() })),
    package: z.object({ id: z.string(), version: z.string() }).optional(),
    /** Of text files: each line, and the number of the version that it is from. */
    lines: z.array(z.object({ since: z.number(), text: z.string() })).optional(),
  }),
  errors: ['image-not-found', 'path-not-found', 'corrupt-manifest', 'corrupt-pack', 'chunk-missing'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});
export type ImageBlame = z.infer<typeof imageBlame.output>;

export const imageMount = defineOperation({
  name: 'image.mount',
  summary: 'Mount a version as a read-only file system',
  input: z.object({ reference: referenceSchema, directory: z.string().min(1) }),
  output: z.object({
    reference: z.string(),
    digest: digestSchema,
    directory: z.string(),
    entries: z.number(),
  }),
  errors: ['image-not-found', 'corrupt-manifest', 'chunk-missing', 'not-root', 'mount-impossible'],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});
