import { z } from 'zod';
import { digestSchema } from '../image.ts';
import { defineOperation } from '../operation.ts';

/** What a version can be written as. How each is written: `src/operations/export-formats.ts`. */
export const exportFormatSchema = z.enum(['tar', 'oci-archive', 'oci', 'raw', 'qcow2']);
export type ExportFormat = z.infer<typeof exportFormatSchema>;

/** How an archive, or the layer in it, is compressed. */
export const exportCompressionSchema = z.enum(['none', 'gzip', 'zstd']);
export type ExportCompression = z.infer<typeof exportCompressionSchema>;

/** What `imprint image export` needs to know. */
export const exportInputSchema = z.object({
  reference: z.string().trim().min(1).max(300),
  /** A file, or a directory for formats that are one; `-` is stdout, for formats that can be written in one go. */
  target: z.string().min(1),
  format: exportFormatSchema,
  /** Absent: what is usual for the format (tar and qcow2: none, OCI: gzip). */
  compression: exportCompressionSchema.optional(),
  /** Replaces a target that is there. */
  force: z.boolean().default(false),
  /** Disk images: bytes of the whole disk; absent: what the content needs, and room to live in. */
  size: z.int().positive().optional(),
  /** Disk images: kernel options beside those that the version recorded. */
  kernelOptions: z.string().max(2048).optional(),
});
export type ExportInput = z.infer<typeof exportInputSchema>;

export const exportOutputSchema = z.object({
  reference: z.string(),
  digest: digestSchema,
  format: exportFormatSchema,
  target: z.string(),
  entries: z.number(),
  /** Of the file, or of all files of the directory. */
  bytes: z.number(),
  /** OCI: digest of the image's manifest, by which registries and container engines know it. */
  manifestDigest: digestSchema.optional(),
  /** What the format cannot say as the version has it. */
  warnings: z.array(z.string()),
});
export type ExportOutput = z.infer<typeof exportOutputSchema>;

/** Writes a version as a file or directory that other programs read; from the same version always the same bytes. */
export const exportOperation = defineOperation({
  name: 'image.export',
  summary: 'Write a version as a tar, an OCI image or a bootable disk image',
  input: exportInputSchema,
  output: exportOutputSchema,
  errors: [
    'image-not-found',
    'directory-not-found',
    'target-exists',
    'export-unfit',
    'corrupt-manifest',
    'corrupt-pack',
    'chunk-missing',
    'disk-full',
  ],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});
