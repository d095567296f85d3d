import { z } from 'zod';
import { digestSchema, imageNameSchema, tagSchema, versionListingSchema } from '../image.ts';
import { defineOperation } from '../operation.ts';
import { freedSchema } from './retention.ts';

/** `web`, `web:3`, `web:TAG`, `web@sha256:…`, `sha256:…`; checked where it is resolved, with a message that explains. */
export const referenceSchema = z.string().trim().min(1).max(300);

/** One path of a version as it is listed. */
export const listedEntrySchema = z.object({
  /** From the root of the version, without a slash in front; `.` is the root. Bytes that are no UTF-8 as `\xNN`. */
  path: z.string(),
  /** The name's very bytes (base64), where `path` cannot say them. */
  rawPath: z.string().optional(),
  type: z.enum(['file', 'directory', 'symlink', 'hardlink', 'character', 'block', 'fifo', 'socket']),
  /** Permission bits as four octal digits: `0755`, `4755`. */
  mode: z.string(),
  uid: z.number(),
  gid: z.number(),
  /** Of files: length in bytes, holes counted; of hard links, the length of the file. */
  size: z.number().optional(),
  /** Bytes that lie in holes. */
  holes: z.number().optional(),
  /** Seconds since 1970 and nanoseconds. */
  mtime: z.object({ seconds: z.number(), nanoseconds: z.number() }),
  /** Of symlinks what they point at, of hard links the first name of the file. */
  target: z.string().optional(),
  /** Of devices. */
  major: z.number().optional(),
  minor: z.number().optional(),
  /** Values in base64. */
  xattrs: z.record(z.string(), z.string()).optional(),
});
export type ListedEntry = z.infer<typeof listedEntrySchema>;

export const imageVersions = defineOperation({
  name: 'image.versions',
  summary: 'List the versions of all images, or of one',
  input: z.object({ image: imageNameSchema.optional() }),
  output: z.object({ versions: z.array(versionListingSchema) }),
  errors: ['store-not-found', 'image-not-found', 'store-unreachable', 'corrupt-record'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});

export const imageShow = defineOperation({
  name: 'image.show',
  summary: 'Show one version',
  input: z.object({ reference: referenceSchema }),
  output: versionListingSchema,
  errors: ['store-not-found', 'image-not-found', 'store-unreachable', 'corrupt-record'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});

export const imageEntries = defineOperation({
  name: 'image.ls',
  summary: 'List what is in a version',
  input: z.object({
    reference: referenceSchema,
    /** A path in the version as people write it, with or without a slash in front; absent: the root. */
    path: z.string().optional(),
    /** All that lies below, not one level. */
    recursive: z.boolean().default(false),
    /** A directory itself, not what is in it. */
    directory: z.boolean().default(false),
  }),
  /** In-process a stream of these. */
  output: z.array(listedEntrySchema),
  errors: ['image-not-found', 'path-not-found', 'corrupt-manifest'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});

export const imageCat = defineOperation({
  name: 'image.cat',
  summary: 'The content of one file of a version',
  input: z.object({ reference: referenceSchema, path: z.string().min(1) }),
  /** In-process a stream of bytes. */
  output: z.never(),
  errors: ['image-not-found', 'path-not-found', 'corrupt-pack', 'chunk-missing'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});

/** One way in which a path differs from the version. */
export const differenceSchema = z.object({
  path: z.string(),
  rawPath: z.string().optional(),
  /** `existence`, `type`, `mode`, `owner`, `mtime`, `xattr`, `size`, `holes`, `content`, `target`, `device`, `hardlink`. */
  attribute: z.string(),
  /** In the version, and in the directory; for people. */
  expected: z.string(),
  actual: z.string(),
});
export type ListedDifference = z.infer<typeof differenceSchema>;

export const imageVerify = defineOperation({
  name: 'image.verify',
  summary: 'Check all content of a version in the store, or compare it with a directory',
  input: z.object({ reference: referenceSchema, directory: z.string().optional() }),
  output: z.object({
    reference: z.string(),
    digest: digestSchema,
    entries: z.number(),
    /** Content that was read and checked, in bytes. */
    bytes: z.number(),
    differences: z.number(),
  }),
  errors: [
    'image-not-found',
    'corrupt-manifest',
    'corrupt-pack',
    'chunk-missing',
    'tree-differs',
    'directory-not-found',
  ],
  effect: 'read',
  runsOn: 'anywhere',
  long: true,
});

export const imageCheckout = defineOperation({
  name: 'image.checkout',
  summary: 'Write a version into a directory that is empty or new',
  input: z.object({ reference: referenceSchema, directory: z.string().min(1) }),
  output: z.object({
    reference: z.string(),
    digest: digestSchema,
    directory: z.string(),
    entries: z.number(),
    bytes: z.number(),
  }),
  errors: [
    'image-not-found',
    'target-not-empty',
    'corrupt-manifest',
    'corrupt-pack',
    'chunk-missing',
    'disk-full',
    'not-root',
  ],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});

export const imageTag = defineOperation({
  name: 'image.tag',
  summary: 'Let a tag point at a version, or take it away',
  input: z.object({ reference: referenceSchema, tag: tagSchema, remove: z.boolean().default(false) }),
  output: versionListingSchema,
  errors: ['image-not-found', 'store-locked'],
  effect: 'change',
  runsOn: 'anywhere',
  long: false,
});

export const imageSign = defineOperation({
  name: 'image.sign',
  summary: 'Sign a version with the key of this server, or with others',
  input: z.object({
    reference: referenceSchema,
    /** Files of private keys; absent, with no `signatures` either: the release keys of this server. */
    keys: z.array(z.string().min(1)).default([]),
    /** Files of signatures that were made elsewhere. */
    signatures: z.array(z.string().min(1)).default([]),
  }),
  output: versionListingSchema,
  errors: ['image-not-found', 'store-locked', 'input-invalid', 'signature-wrong'],
  effect: 'change',
  runsOn: 'anywhere',
  long: false,
});

export const imageRemove = defineOperation({
  name: 'image.rm',
  summary: 'Remove versions',
  input: z.object({
    references: z.array(referenceSchema).min(1),
    /** Also where a version is tagged, or a machine has it or is to have it. */
    force: z.boolean().default(false),
    /** Says what would go, and removes nothing. */
    dryRun: z.boolean().default(false),
  }),
  output: freedSchema.extend({
    /** `web:3`, in the order in which they went. */
    removed: z.array(z.string()),
  }),
  errors: ['image-not-found', 'version-in-use', 'store-locked'],
  effect: 'destroy',
  runsOn: 'anywhere',
  long: true,
});
