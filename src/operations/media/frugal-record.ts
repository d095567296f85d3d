import { z } from 'zod';

/** `live.json`: what lies in the directory of a live system on a partition, for who starts it. */
export const frugalRecordSchema = z.looseObject({
  format: z.literal(1),
  kind: z.literal('imprint-live'),
  image: z.string(),
  digest: z.string(),
  /** Bytes of the file for what the system writes. */
  changes: z.number().optional(),
});
