import { z } from 'zod';
import { imageNameSchema, tagSchema, versionListingSchema } from '../image.ts';
import { defineOperation } from '../operation.ts';
import { pendingTrustSchema, seenImageSchema, shownTrustSchema } from '../trust.ts';

const referenceSchema = z.string().trim().min(1).max(300);
/** `90d`, `8w`, `1y`, a date, or `never`. */
const untilSchema = z.string().min(1).max(40);

export const trustShow = defineOperation({
  name: 'trust.show',
  summary: 'Show whose signatures are trusted',
  input: z.object({}),
  output: z.object({
    /** Where trust begins: the file; absent where nothing is trusted here. */
    start: z.string().optional(),
    /** Whether somebody chose it, rather than that it is merely this server's own key. */
    chosen: z.boolean(),
    current: shownTrustSchema.optional(),
    /** A document that lacks signatures yet. */
    pending: pendingTrustSchema.optional(),
    /** What was seen of images, so that it cannot be taken back. */
    seen: z.array(seenImageSchema),
  }),
  errors: ['trust-wrong', 'store-unreachable'],
  effect: 'read',
  runsOn: 'anywhere',
  long: false,
});

export const trustKey = defineOperation({
  name: 'trust.key',
  summary: 'Make a key to sign with',
  input: z.object({
    /** The files become PATH.key and PATH.pub. */
    path: z.string().min(1),
  }),
  output: z.object({ id: z.string(), key: z.string(), publicKey: z.string() }),
  errors: ['key-exists', 'read-only', 'disk-full'],
  effect: 'change',
  runsOn: 'anywhere',
  long: false,
});

/** Public key files, or the second lines of such files. */
const keysSchema = z.array(z.string().min(1)).default([]);

export const trustChange = defineOperation({
  name: 'trust.change',
  summary: 'Make the next trust document: add, replace or remove keys, set thresholds and expiry',
  input: z.object({
    addRoot: keysSchema,
    addRelease: keysSchema,
    /** Ids of keys. */
    removeRoot: keysSchema,
    removeRelease: keysSchema,
    rootThreshold: z.int().min(1).max(64).optional(),
    releaseThreshold: z.int().min(1).max(64).optional(),
    expires: untilSchema.optional(),
    /** Files of private keys to sign with, beside those of the data directory. */
    keys: keysSchema,
    dryRun: z.boolean().default(false),
  }),
  output: z.object({ published: z.boolean(), pending: pendingTrustSchema }),
  errors: ['trust-wrong', 'input-invalid', 'store-not-found', 'store-locked'],
  effect: 'change',
  runsOn: 'anywhere',
  long: false,
});

export const trustSign = defineOperation({
  name: 'trust.sign',
  summary: 'Sign a trust document that lacks signatures, and publish it once it is complete',
  input: z.object({
    /** A document to sign where its server is not; absent: the one that is pending here. */
    file: z.string().optional(),
    keys: keysSchema,
    /** Files of signatures that were made elsewhere. */
    signatures: keysSchema,
    dryRun: z.boolean().default(false),
  }),
  output: z.object({ published: z.boolean(), pending: pendingTrustSchema }),
  errors: ['trust-wrong', 'input-invalid', 'signature-wrong', 'store-locked'],
  effect: 'change',
  runsOn: 'anywhere',
  long: false,
});

export const trustPin = defineOperation({
  name: 'trust.pin',
  summary: 'Trust whom a trust document or public key file names',
  input: z.object({ file: z.string().min(1), dryRun: z.boolean().default(false) }),
  output: z.object({ path: z.string(), current: shownTrustSchema }),
  errors: ['trust-wrong', 'input-invalid', 'read-only'],
  effect: 'change',
  runsOn: 'anywhere',
  long: false,
});

export const imageRenew = defineOperation({
  name: 'image.renew',
  summary: 'Make the next version of an image with the content of an earlier one',
  input: z.object({
    reference: referenceSchema,
    expires: untilSchema.optional(),
    floor: z.int().positive().optional(),
    message: z.string().max(4096).optional(),
    tag: tagSchema.optional(),
  }),
  output: versionListingSchema.extend({ image: imageNameSchema, number: z.int(), renewed: z.string() }),
  errors: ['image-not-found', 'store-locked', 'input-invalid'],
  effect: 'change',
  runsOn: 'anywhere',
  long: false,
});
