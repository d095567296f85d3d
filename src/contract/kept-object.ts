import { z } from 'zod';
import { machineNameSchema, macSchema } from './machine.ts';

/** Bytes of an object in its file, at most: it is identity and small state, not data. */
export const objectFileLimit = 16 << 20;

const hexSchema = z.string().regex(/^[0-9a-f]{64}$/);

/** What makes a machine itself, as the server keeps it (`docs/agent.md`). */
export const keptObjectSchema = z.object({
  /** Rises by one with each that the server takes. */
  number: z.int().positive(),
  /** SHA-256 over what is in it, as the machine counts: two that are equal hold the same. */
  digest: hexSchema,
  /** Of its file: bytes, and SHA-256. */
  bytes: z.int().nonnegative(),
  sha256: hexSchema,
  /** Files and links in it. */
  files: z.int().nonnegative(),
  /** When the machine made it, ISO 8601, and when the server got it, milliseconds since 1970. */
  created: z.string().max(40),
  received: z.number(),
});
export type ServerObject = z.infer<typeof keptObjectSchema>;

/** In a signed answer: the server keeps this machine's object, the next under this number; `digest` is that of the last. */
export const objectWishSchema = z.object({ number: z.int().positive(), digest: hexSchema.optional() });
export type ObjectWish = z.infer<typeof objectWishSchema>;

/**
 * `POST /agent/v1/object` → 204: an object for the server. `signature` is made with the machine's own key over `objectStatement`, so that nobody
 * who merely heard it can send another, or the same one again.
 */
export const agentObjectSchema = z.object({
  /** Of the machine's network cards: who it is. */
  macs: z.array(macSchema).min(1).max(64),
  number: z.int().positive(),
  digest: hexSchema,
  /** Ed25519, SPKI, PEM. */
  key: z.string().max(1000),
  /** Base64. */
  signature: z.string().max(200),
  /** The object's file, base64. */
  content: z.string().max(Math.ceil(objectFileLimit / 3) * 4),
});
export type AgentObject = z.infer<typeof agentObjectSchema>;

/** What a machine's key signs. `sha256`: of the file. */
export function objectStatement(number: number, digest: string, sha256: string): string {
  return `imprint object 1\n${number}\n${digest}\n${sha256}\n`;
}

export const machineObjectsSchema = z.object({ machine: machineNameSchema, objects: z.array(keptObjectSchema) });
