import { z } from 'zod';
import { defineOperation } from '../operation.ts';

const referenceSchema = z.string().min(1);

export const imageBundle = defineOperation({
  name: 'image.bundle',
  summary: 'Make the file that leads machines from one version to another',
  input: z.object({ from: referenceSchema, to: referenceSchema }),
  output: z.object({
    from: z.string(),
    to: z.string(),
    /** The file, in the store. */
    path: z.string(),
    /** Its length: what a machine fetches. */
    bytes: z.number(),
    /** False: it was there already. */
    made: z.boolean(),
    /** What the new version has that the old one has not; absent where it was there already. */
    chunks: z.number().optional(),
    contentBytes: z.number().optional(),
  }),
  errors: [
    'image-not-found',
    'store-locked',
    'corrupt-manifest',
    'corrupt-pack',
    'chunk-missing',
    'disk-full',
    'read-only',
  ],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});
