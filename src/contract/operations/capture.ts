import { z } from 'zod';
import { digestSchema, imageNameSchema, tagSchema, versionStatsSchema } from '../image.ts';
import { defineOperation } from '../operation.ts';

/** What `imprint capture` needs to know. */
export const captureInputSchema = z.object({
  /** A directory, or `ssh://[user@]host[:port][/directory]`. */
  source: z.string().min(1),
  /** The image that gets a new version; made where there is none of that name. */
  name: imageNameSchema,
  /** A tag for the new version; it moves where the image has it already. */
  tag: tagSchema.optional(),
  /** Globs beside the default ones (`docs/capture.md`); a leading `!` takes back what matched before. */
  excludes: z.array(z.string()).default([]),
  /** Leaves out the built-in excludes (package caches, `/tmp`, `/var/tmp`, swap files, …). */
  noDefaultExcludes: z.boolean().default(false),
  /** Takes SSH host keys, machine-id, seeds and credentials into the image all the same. */
  keepSecrets: z.boolean().default(false),
  message: z.string().max(4096).optional(),
  /** Until when the record vouches for the version: `90d`, `1y`, a date; absent or `never`: always. */
  expires: z.string().max(40).optional(),
  /** Withdraws the versions with a smaller number; absent: as the version before has it. */
  floor: z.int().positive().optional(),
  /** Only the file system that holds the root of the capture, nothing mounted below it. */
  oneFileSystem: z.boolean().default(false),
  /** Reads every file again, even where nothing says that it changed since the version before. */
  paranoid: z.boolean().default(false),
  /** Reads the source as it is, also where a snapshot could be made. */
  noSnapshot: z.boolean().default(false),
  /** Leaves the scripts alone that the golden machine has for before and after a capture. */
  noScripts: z.boolean().default(false),
  /** Over ssh: the token of a one-time door (`imprint prepare`). */
  door: z.string().optional(),
  /** Over ssh: a private key file. */
  identity: z.string().optional(),
  /** Over ssh: options as for `ssh -o`, `StrictHostKeyChecking=accept-new`. */
  sshOptions: z.array(z.string().regex(/^[A-Za-z]+\s*[= ]\s*\S.*$/, 'must be Name=value, as for ssh -o')).default([]),
});
export type CaptureInput = z.infer<typeof captureInputSchema>;
/** The same before defaults were filled in. */
export type CaptureRequest = z.input<typeof captureInputSchema>;

/** What came of it. */
export const captureOutputSchema = z.object({
  /** `web:3`. */
  reference: z.string(),
  image: z.string(),
  number: z.int().positive(),
  digest: digestSchema,
  tags: z.array(z.string()),
  /** Whether the version carries the server's signature. */
  signed: z.boolean(),
  stats: versionStatsSchema,
  /** Files whose content was taken from the version before without being read. */
  unchangedFiles: z.int().nonnegative(),
  /** Raw paths and globs, as in the version record; for people, each a line. */
  excluded: z.array(z.string()),
  scrubbed: z.array(z.string()),
  warnings: z.array(z.string()),
});
export type CaptureOutput = z.infer<typeof captureOutputSchema>;

/** A new version of an image from a directory or a machine that runs. */
export const captureOperation = defineOperation({
  name: 'image.capture',
  summary: 'Capture a machine or a directory as a new version of an image',
  input: captureInputSchema,
  output: captureOutputSchema,
  errors: [
    'source-not-found',
    'golden-unreachable',
    'golden-lost',
    'golden-unfit',
    'store-locked',
    'disk-full',
    'interrupted',
  ],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});
