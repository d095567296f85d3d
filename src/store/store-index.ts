import { hash } from 'node:crypto';
import { z } from 'zod';
import { digestSchema, imageNameSchema, tagSchema } from '../contract/image.ts';
import { canonicalJson, parseCanonicalJson } from '../image/canonical-json.ts';
import { FormatError } from '../image/format-error.ts';

const hexSchema = z.string().regex(/^[0-9a-f]{64}$/);
const indexSchema = z.looseObject({
  format: z.literal(1),
  images: z.array(
    z.looseObject({
      name: imageNameSchema,
      versions: z.array(
        z.looseObject({
          number: z.int().positive(),
          digest: digestSchema,
          /** SHA-256 of the record's file, and of its signature's file where there is one. */
          record: hexSchema,
          signature: hexSchema.optional(),
        }),
      ),
      /** Tag → version number. */
      tags: z.record(tagSchema, z.int().positive()),
    }),
  ),
});

/**
 * `index.json`: what a store holds, for readers that cannot list a directory, with the checksum of each record. Made from the
 * records after every change; nothing in it needs to be believed that is not verified afterwards.
 */
export type StoreIndex = z.infer<typeof indexSchema>;
export type ImageIndex = StoreIndex['images'][number];
export type VersionIndex = ImageIndex['versions'][number];

/** The index as the bytes of its file. */
export function formatStoreIndex(images: readonly ImageIndex[]): string {
  return `${canonicalJson({ format: 1, images })}\n`;
}

/** The index from its file. Throws a `FormatError`. */
export function parseStoreIndex(bytes: Buffer): StoreIndex {
  if (bytes.at(-1) !== 0x0a) throw new FormatError('it is cut short');
  const parsed = indexSchema.safeParse(parseCanonicalJson(bytes.subarray(0, -1)));
  if (!parsed.success) throw new FormatError('it is not an index');
  return parsed.data;
}

/** SHA-256 of a file as the index keeps it. */
export function fileHash(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}
