import { z } from 'zod';

const hashSchema = z.string().regex(/^[0-9a-f]{64}$/);
const recordSchema = z.object({
  format: z.literal(1),
  kind: z.literal('imager'),
  key: z.string(),
  kernel: z.string(),
  suite: z.string(),
  files: z.object({ vmlinuz: hashSchema, initrd: hashSchema }),
});

/** `imager.json`: what the imager of a server is. The server signs its text, so that a machine that runs can fetch it over any network. */
export interface ImagerRecord {
  format: 1;
  kind: 'imager';
  /** Identity of the key that the imager trusts. */
  key: string;
  /** Version of its kernel. */
  kernel: string;
  /** Debian suite that it was made of. */
  suite: string;
  /** SHA-256 of both, hexadecimal. */
  files: { vmlinuz: string; initrd: string };
}

/** Undefined where it is none, or one of before records were signed. */
export function parseImagerRecord(text: string): ImagerRecord | undefined {
  try {
    return recordSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
