import { z } from 'zod';
import { digestSchema } from '../image.ts';
import { rootFileSystemSchema } from '../machine.ts';
import { defineOperation } from '../operation.ts';

export const netbootMediaInputSchema = z.object({
  /** Debian suite that kernel and tools come from. */
  suite: z
    .string()
    .regex(/^[a-z]+$/, 'must be the code name of a Debian release: bookworm, trixie')
    .default('bookworm'),
  /** Fetches the suite's present packages, even where a base made earlier would do: for a newer kernel. */
  refresh: z.boolean().default(false),
  /** Takes kernel, modules and firmware of this version, `web:3`, instead of the suite's kernel. */
  kernelFrom: z.string().min(1).max(300).optional(),
});
export type NetbootMediaInput = z.infer<typeof netbootMediaInputSchema>;
/** The same before defaults were filled in. */

export const netbootMediaOutputSchema = z.object({
  /** Where the files lie: `DATA/netboot`. */
  directory: z.string(),
  /** Each file below it, with its size and SHA-256 (64 hexadecimal digits). */
  files: z.array(z.object({ path: z.string(), bytes: z.number(), sha256: z.string() })),
  /** Version of the imager's kernel, `6.1.0-50-amd64`. */
  kernel: z.string(),
  /** The version that it is of; absent: the suite's. */
  kernelFrom: z.string().optional(),
  suite: z.string(),
  /** Whether the base came from the cache. */
  cached: z.boolean(),
  /** Identity of the key that the imager trusts. */
  key: z.string(),
});
export type NetbootMediaOutput = z.infer<typeof netbootMediaOutputSchema>;

/** `imprint media netboot`: what bare machines boot from the network. */
export const netbootMedia = defineOperation({
  name: 'media.netboot',
  summary: 'Make the files that bare machines boot from the network: the imager and its boot loaders',
  input: netbootMediaInputSchema,
  output: netbootMediaOutputSchema,
  errors: ['tool-missing', 'process-failed', 'disk-full', 'imager-unbuilt'],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});

const serverUrlSchema = z.url({ protocol: /^https?$/, error: 'must be a URL: http://10.0.0.1:4280' }).max(300);

export const usbMediaInputSchema = z.object({
  /** A file that becomes the image of the medium, or a disk that can be pulled out. */
  target: z.string().min(1),
  /** Versions to carry whole, so that they are installed with no network: `web`, `web:3`. */
  images: z.array(z.string().trim().min(1).max(300)).default([]),
  /** The first of the versions starts from the medium as a live system; its own kernel then drives the imager, too. */
  live: z.boolean().default(false),
  /** Of the live system's root; another than ext4 was made of that version beforehand (`image.live`). Absent: ext4. */
  fileSystem: rootFileSystemSchema.optional(),
  /** Text of `local.cfg`; absent: a template in which nothing is filled in. */
  localConfig: z
    .string()
    .max(64 << 10)
    .optional(),
  /** URL of the image server as machines reach it; absent: `local.cfg` names it, or none is needed. */
  server: serverUrlSchema.optional(),
  /** For the imager's kernel, beside its own. */
  kernelOptions: z.string().max(1000).optional(),
  /** Replaces a file that is there. */
  force: z.boolean().default(false),
});
export type UsbMediaInput = z.infer<typeof usbMediaInputSchema>;

export const mediumPartitionSchema = z.object({
  number: z.number(),
  name: z.string(),
  /** Bytes. */
  start: z.number(),
  size: z.number(),
});

export const usbMediaOutputSchema = z.object({
  target: z.string(),
  /** Whether the target is a device, and no file. */
  device: z.boolean(),
  /** Of the whole medium; a file takes less, where it is empty. */
  bytes: z.number(),
  /** 16 hexadecimal digits: the same content has the same. */
  id: z.string(),
  partitions: z.array(mediumPartitionSchema),
  /** What it carries. */
  images: z.array(z.object({ image: z.string(), digest: digestSchema })),
  /** Which of these starts as a live system. */
  live: z.string().optional(),
  /** Of its root. */
  fileSystem: rootFileSystemSchema.optional(),
  server: z.string().optional(),
  /** Identity of the key that its imager trusts. */
  key: z.string(),
  /** Whether it starts where UEFI Secure Boot is on. */
  secureBoot: z.boolean(),
  warnings: z.array(z.string()),
});
export type UsbMediaOutput = z.infer<typeof usbMediaOutputSchema>;

/** `imprint media usb`: a medium that starts the imager. */
export const usbMedia = defineOperation({
  name: 'media.usb',
  summary: 'Make a USB medium that starts the imager on BIOS and UEFI, with whole versions on it where wanted',
  input: usbMediaInputSchema,
  output: usbMediaOutputSchema,
  errors: [
    'tool-missing',
    'process-failed',
    'disk-full',
    'imager-unbuilt',
    'image-not-found',
    'live-source-missing',
    'signature-missing',
    'chunk-missing',
    'target-exists',
    'device-refused',
    'directory-not-found',
    'local-config-wrong',
  ],
  effect: 'destroy',
  runsOn: 'anywhere',
  long: true,
});

export const isoMediaInputSchema = usbMediaInputSchema;
export type IsoMediaInput = z.infer<typeof isoMediaInputSchema>;

export const isoMediaOutputSchema = usbMediaOutputSchema.omit({ device: true, partitions: true });
export type IsoMediaOutput = z.infer<typeof isoMediaOutputSchema>;

/** `imprint media iso`: the same as an ISO file. */
export const isoMedia = defineOperation({
  name: 'media.iso',
  summary: 'Make an ISO file that starts the imager on BIOS and UEFI, with whole versions on it where wanted',
  input: isoMediaInputSchema,
  output: isoMediaOutputSchema,
  errors: usbMedia.errors.filter((code) => code !== 'device-refused'),
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});

export const frugalMediaInputSchema = z.object({
  /** A directory of a partition that is mounted, or a partition. */
  target: z.string().min(1),
  /** The version that is to run: `web`, `web:3`. Absent only where it is removed. */
  image: z.string().trim().min(1).max(300).optional(),
  /** Of its root; another than ext4 was made of that version beforehand (`image.live`). Absent: ext4. */
  fileSystem: rootFileSystemSchema.optional(),
  /** Bytes that the system may write, and finds again at its next start; absent: nothing is kept. */
  changes: z.int().positive().optional(),
  /** For its kernel, beside those of the version. */
  kernelOptions: z.string().max(1000).optional(),
  /** Whether the GRUB of the machine that this runs on gets an entry for it. */
  entry: z.boolean().default(true),
  /** Replaces a live system that is there, with all that it kept. */
  force: z.boolean().default(false),
  /** Takes it away again, with all that it kept. */
  remove: z.boolean().default(false),
});
export type FrugalMediaInput = z.infer<typeof frugalMediaInputSchema>;

export const frugalMediaOutputSchema = z.object({
  /** Its directory here, and as GRUB names it on the file system with this UUID. */
  directory: z.string(),
  path: z.string(),
  uuid: z.string(),
  image: z.string().optional(),
  digest: digestSchema.optional(),
  /** Bytes that it takes now. */
  bytes: z.number(),
  changes: z.number().optional(),
  /** The file of this machine's GRUB that has an entry for it, or had one until now. */
  entry: z.string().optional(),
  removed: z.boolean(),
});
export type FrugalMediaOutput = z.infer<typeof frugalMediaOutputSchema>;

/** `imprint media frugal`: a live system as files on a partition that has other things on it, too. */
export const frugalMedia = defineOperation({
  name: 'media.frugal',
  summary: 'Keep a live system as files on a partition that stays what it is, and start it from there',
  input: frugalMediaInputSchema,
  output: frugalMediaOutputSchema,
  errors: [
    'tool-missing',
    'process-failed',
    'disk-full',
    'io-failed',
    'imager-unbuilt',
    'image-not-found',
    'live-source-missing',
    'signature-missing',
    'chunk-missing',
    'target-exists',
    'boot-place-unfit',
    'input-invalid',
    'not-root',
  ],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});

export const diskMediaOutputSchema = z.object({
  /** What boots next, once: an entry of the boot partition, or of the GRUB that is there. Absent: it was taken back. */
  entry: z.string().optional(),
  /** `imprint`: by the boot pointer of a machine that Imprint installed. `grub`: by the machine's own GRUB. */
  by: z.enum(['imprint', 'grub']),
  server: z.string().optional(),
  /** Of the imager. */
  kernel: z.string().optional(),
  /** Whether there was anything to take back. */
  cancelled: z.boolean().optional(),
  restart: z.enum(['none', 'full', 'kexec']),
});
export type DiskMediaOutput = z.infer<typeof diskMediaOutputSchema>;

/** `imprint media disk`: the imager starts once from the disk of the machine that this runs on. */
export const diskMedia = defineOperation({
  name: 'media.disk',
  summary: 'Start the imager at the next boot of this machine, from its own disk, and only then',
  input: z.object({
    /** URL of the image server; absent: the one of the agent's settings. */
    server: serverUrlSchema.optional(),
    /** Path of the server's public key; absent: the one that the install left. */
    key: z.string().min(1).optional(),
    /** Minutes without an order after which the machine restarts as it was. */
    patience: z.int().min(1).max(1440).default(15),
    restart: z.enum(['none', 'full', 'kexec']).default('none'),
    cancel: z.boolean().default(false),
  }),
  output: diskMediaOutputSchema,
  errors: [
    'imager-unfit',
    'signature-wrong',
    'store-unreachable',
    'trial-running',
    'update-running',
    'grub-unfit',
    'boot-partition-missing',
    'boot-partition-unfit',
    'disk-full',
    'input-invalid',
    'not-root',
  ],
  effect: 'change',
  runsOn: 'machine',
  long: true,
});
