import { z } from 'zod';
import { imageNameSchema } from './image.ts';

/** A public key as the second line of a minisign public key file: base64 of 42 bytes. */
const publicKeySchema = z.string().regex(/^[A-Za-z0-9+/]{56}$/);

/** Who may sign for a role, and how many of them must. */
export const trustRoleSchema = z.object({
  keys: z.array(publicKeySchema).min(1).max(64),
  threshold: z.int().min(1).max(64),
});

/**
 * A trust document (`docs/trust.md`): which keys speak for an image server. Kept as canonical JSON; fields that a reader does not
 * know are kept and covered by its signatures.
 */
export const trustDocumentSchema = z.looseObject({
  format: z.literal(1),
  kind: z.literal('imprint-trust'),
  /** Counts from 1; each document is signed by the one before. */
  version: z.int().min(1).max(999_999),
  /** ISO 8601, UTC. */
  created: z.iso.datetime(),
  expires: z.iso.datetime().optional(),
  /** Signs trust documents. */
  root: trustRoleSchema,
  /** Signs version records. */
  release: trustRoleSchema,
});
export type TrustDocumentValue = z.infer<typeof trustDocumentSchema>;

/** One key of a role as it is shown. */
export const shownKeySchema = z.object({
  /** 16 hexadecimal digits, as minisign prints it. */
  id: z.string(),
  /** The second line of its public key file. */
  publicKey: z.string(),
  /** Whether this data directory holds its private half. */
  here: z.boolean(),
});
const shownRoleSchema = z.object({ threshold: z.int(), keys: z.array(shownKeySchema) });

export const shownTrustSchema = z.object({
  /** 0 where there is no document yet, only a key. */
  version: z.int().nonnegative(),
  created: z.string().optional(),
  expires: z.string().optional(),
  root: shownRoleSchema,
  release: shownRoleSchema,
});
export type ShownTrust = z.infer<typeof shownTrustSchema>;

/** A document that still lacks signatures. */
export const pendingTrustSchema = z.object({
  document: shownTrustSchema,
  /** Ids of keys that have signed. */
  signedBy: z.array(z.string()),
  /** What is missing yet, a line for each role, for people; empty once it is complete. */
  missing: z.array(z.string()),
  /** The file with the document, and the one with its signatures. */
  path: z.string(),
  signaturePath: z.string(),
});
export type PendingTrust = z.infer<typeof pendingTrustSchema>;

/** What was seen of an image: versions below the floor are refused from then on. */
export const seenImageSchema = z.object({
  image: imageNameSchema,
  number: z.int(),
  floor: z.int(),
  expires: z.string().optional(),
});
export type SeenImage = z.infer<typeof seenImageSchema>;
