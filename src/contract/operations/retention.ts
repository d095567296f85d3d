import { z } from 'zod';
import { imageNameSchema } from '../image.ts';
import { defineOperation } from '../operation.ts';

/** What became free, or will: bytes of pack files. */
export const freedSchema = z.object({
  packsDeleted: z.number(),
  bytesFreed: z.number(),
  /** Of packs that go later: a reader still needs them, or their grace period is not over. */
  bytesWaiting: z.number(),
  /** Of content that nobody needs, in packs that other versions need. */
  bytesUnreferenced: z.number(),
});

const count = z.int().min(1).max(1_000_000).optional();

export const imagePrune = defineOperation({
  name: 'image.prune',
  summary: 'Remove the versions that no rule keeps',
  input: z.object({
    /** Empty: all images. */
    images: z.array(imageNameSchema),
    /** How many versions to keep: the last, and the newest of each hour, day, ISO week, month, year (UTC). */
    keep: z.object({ last: count, hourly: count, daily: count, weekly: count, monthly: count, yearly: count }),
    /** Milliseconds: all that are younger stay. */
    within: z.number().min(0).optional(),
    /** Tagged versions stay in any case; this makes them a rule of its own. */
    tagged: z.boolean().default(false),
    /** Milliseconds for which the packs stay for those who read over HTTP. */
    grace: z.number().min(0).default(3_600_000),
    /** Of those that no rule keeps, nothing but these goes: what somebody was shown and agreed to. */
    only: z.array(z.string()).optional(),
    dryRun: z.boolean().default(false),
  }),
  output: freedSchema.extend({
    /** Every version looked at, newest of each image first; without reasons it goes. */
    versions: z.array(z.object({ reference: z.string(), created: z.string(), reasons: z.array(z.string()) })),
    removed: z.array(z.string()),
  }),
  errors: ['usage', 'image-not-found', 'store-locked', 'disk-full', 'read-only'],
  effect: 'destroy',
  runsOn: 'anywhere',
  long: true,
});
