import { z } from 'zod';
import { builtFileSystems } from '../image.ts';
import { defineOperation } from '../operation.ts';
import { referenceSchema } from './images.ts';

export const imageLive = defineOperation({
  name: 'image.live',
  summary: 'Make the file system from which machines start before they are installed',
  input: z.object({
    reference: referenceSchema,
    fileSystem: z.enum(builtFileSystems, 'xfs or btrfs; ext4 needs none: it is computed from the version'),
    /** Bytes; absent: what an install of the version needs at least. */
    size: z.int().positive().optional(),
  }),
  output: z.object({
    /** The version that is in it. */
    reference: z.string(),
    /** What was made of it: `web.live-xfs:1`. */
    built: z.string(),
    fileSystem: z.enum(builtFileSystems),
    uuid: z.string(),
    size: z.number(),
    /** What of it is no hole. */
    contentBytes: z.number(),
    /** What the store grew by. */
    newBytes: z.number(),
    signed: z.boolean(),
    /** False: it was there already. */
    made: z.boolean(),
  }),
  errors: [
    'image-not-found',
    'not-root',
    'store-locked',
    'corrupt-manifest',
    'corrupt-pack',
    'chunk-missing',
    'tree-differs',
    'tool-missing',
    'process-failed',
    'disk-full',
    'read-only',
  ],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});
