import { z } from 'zod';
import { defineOperation } from '../operation.ts';

const targetSchema = z.string().min(1);

export const keyCreateInputSchema = z.object({
  /** A file that becomes the image of a key, or a disk that can be pulled out. */
  target: targetSchema,
  /** Bytes of an image; a disk is used whole. */
  size: z.int().positive().optional(),
  /** Bytes for what live systems keep; 0: none. */
  persistence: z.int().nonnegative().default(0),
  /** Whether our imager is on it, where it was built. */
  imager: z.boolean().default(true),
  /** URL of the image server for that imager. */
  server: z
    .url({ protocol: /^https?$/, error: 'must be a URL: http://10.0.0.1:4280' })
    .max(300)
    .optional(),
  force: z.boolean().default(false),
});
export type KeyCreateInput = z.infer<typeof keyCreateInputSchema>;

export const keyCreateOutputSchema = z.object({
  target: z.string(),
  device: z.boolean(),
  bytes: z.number(),
  id: z.string(),
  /** Bytes of the partition for ISO files. */
  room: z.number(),
  persistence: z.number(),
  imager: z.boolean(),
  /** Whether its menu starts where Secure Boot is on; each ISO's kernel is another matter. */
  secureBoot: z.boolean(),
  memtest: z.boolean(),
});
export type KeyCreateOutput = z.infer<typeof keyCreateOutputSchema>;

export const keyCreate = defineOperation({
  name: 'key.create',
  summary: 'Make a key that starts ISO files on BIOS and UEFI',
  input: keyCreateInputSchema,
  output: keyCreateOutputSchema,
  errors: ['device-refused', 'target-exists', 'directory-not-found', 'tool-missing', 'process-failed', 'disk-full'],
  effect: 'destroy',
  runsOn: 'anywhere',
  long: true,
});

/** How an ISO file was verified before it was taken. */
export const isoProofSchema = z.object({
  /** The file that names its checksum; absent: there was none. */
  checksum: z.string().optional(),
  /** Who signed that, or the ISO itself; absent: nobody whose key was given. */
  signature: z.string().optional(),
});

export const keyIsoSchema = z.object({
  /** Of the file on the key. */
  name: z.string(),
  /** Bytes. */
  size: z.number(),
  /** Absent: it is of none that is known. */
  family: z.string().optional(),
  /** For people. */
  familyName: z.string().optional(),
  volume: z.string().optional(),
  sha256: z.string().optional(),
  firmware: z.array(z.enum(['bios', 'uefi'])).optional(),
  /** Whether its kernel is signed by whom the key's shim trusts; absent: that shows when it is started. */
  secureBoot: z.boolean().optional(),
  /** Whether a kernel and an initial RAM disk lie beside it (`NAME.iso.vmlinuz`, `NAME.iso.initrd`), which start it. */
  beside: z.boolean().optional(),
  /** Why it does not start, or not on every kind of firmware. */
  refusal: z.string().optional(),
  proof: isoProofSchema.optional(),
});
export type KeyIso = z.infer<typeof keyIsoSchema>;

export const keyAddInputSchema = z.object({
  key: targetSchema,
  isos: z.array(z.string().min(1)).min(1),
  /** Public keys that may have signed: minisign's, or a keyring of GnuPG. */
  trustedKeys: z.array(z.string().min(1)).default([]),
  /** Also what does not start from a file, and in place of one of the same name. */
  force: z.boolean().default(false),
});
export type KeyAddInput = z.infer<typeof keyAddInputSchema>;

export const keyAdd = defineOperation({
  name: 'key.add',
  summary: 'Put ISO files onto a key, verified',
  input: keyAddInputSchema,
  output: z.object({ key: z.string(), added: z.array(keyIsoSchema), free: z.number() }),
  errors: [
    'key-not-found',
    'key-damaged',
    'device-refused',
    'iso-unfit',
    'iso-corrupt',
    'iso-unsigned',
    'target-exists',
    'key-full',
  ],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});
export type KeyAddOutput = z.infer<(typeof keyAdd)['output']>;

export const keyListInputSchema = z.object({
  key: targetSchema,
  /** Reads every file and compares it with the checksum that it had when it was put there. */
  verify: z.boolean().default(false),
});
export type KeyListInput = z.infer<typeof keyListInputSchema>;

export const keyList = defineOperation({
  name: 'key.list',
  summary: 'Say what is on a key',
  input: keyListInputSchema,
  output: z.object({
    key: z.string(),
    isos: z.array(keyIsoSchema.extend({ intact: z.boolean().optional() })),
    free: z.number(),
    /** Bytes of the device behind the last partition: what `key grow` would add. */
    unused: z.number(),
  }),
  errors: ['key-not-found', 'key-damaged', 'device-refused'],
  effect: 'read',
  runsOn: 'anywhere',
  long: true,
});
export type KeyListOutput = z.infer<(typeof keyList)['output']>;

export const keyRemoveInputSchema = z.object({ key: targetSchema, isos: z.array(z.string().min(1)).min(1) });
export type KeyRemoveInput = z.infer<typeof keyRemoveInputSchema>;

export const keyRemove = defineOperation({
  name: 'key.remove',
  summary: 'Take ISO files off a key',
  input: keyRemoveInputSchema,
  output: z.object({ key: z.string(), removed: z.array(z.string()), free: z.number() }),
  errors: ['key-not-found', 'key-damaged', 'device-refused', 'iso-not-found'],
  effect: 'destroy',
  runsOn: 'anywhere',
  long: false,
});
export type KeyRemoveOutput = z.infer<(typeof keyRemove)['output']>;

export const keyGrowInputSchema = z.object({
  key: targetSchema,
  /** Bytes that an image is made larger to first; absent: as large as the file or the disk is. */
  size: z.int().positive().optional(),
});
export type KeyGrowInput = z.infer<typeof keyGrowInputSchema>;

export const keyGrow = defineOperation({
  name: 'key.grow',
  summary: 'Let the room for ISO files reach to the end of the key',
  input: keyGrowInputSchema,
  output: z.object({ key: z.string(), before: z.number(), after: z.number() }),
  errors: ['key-not-found', 'key-damaged', 'device-refused', 'tool-missing', 'process-failed'],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});
export type KeyGrowOutput = z.infer<(typeof keyGrow)['output']>;

export const keyTestInputSchema = z.object({
  key: targetSchema,
  /** Names on the key; none: all of them. */
  isos: z.array(z.string().min(1)).default([]),
  firmware: z.enum(['bios', 'uefi', 'both'], 'must be bios, uefi or both').default('both'),
  /** Seconds that one start may take. */
  limit: z.coerce.number().int().min(10).max(36_000).default(300),
  /** Where logs and pictures go; absent: a new directory among those for temporary files. */
  directory: z.string().min(1).optional(),
});
export type KeyTestInput = z.infer<typeof keyTestInputSchema>;

export const keyTestResultSchema = z.object({
  iso: z.string(),
  firmware: z.enum(['bios', 'uefi']),
  /** `refused`: the key says why not, as it should. `unclear`: it was started, and the picture shows how far it came. */
  verdict: z.enum(['runs', 'refused', 'unclear', 'failed']),
  /** How far it came. */
  stage: z.enum(['nothing', 'menu', 'refused', 'chosen', 'kernel', 'initramfs', 'running']),
  /** The line that shows it. */
  said: z.string().optional(),
  /** What it failed at, as far as is known. */
  problem: z.string().optional(),
  seconds: z.number(),
  /** What it said on its serial line. */
  log: z.string(),
  /** Its screen at the end. */
  picture: z.string().optional(),
});
export type KeyTestResult = z.infer<typeof keyTestResultSchema>;

export const keyTest = defineOperation({
  name: 'key.test',
  summary: 'Start every ISO file of a key, and its imager, in a virtual machine',
  input: keyTestInputSchema,
  output: z.object({
    key: z.string(),
    directory: z.string(),
    accelerator: z.enum(['kvm', 'tcg']),
    results: z.array(keyTestResultSchema),
  }),
  errors: ['key-not-found', 'device-refused', 'iso-not-found', 'iso-not-started', 'tool-missing', 'process-failed'],
  effect: 'read',
  runsOn: 'anywhere',
  long: true,
});
export type KeyTestOutput = z.infer<(typeof keyTest)['output']>;
