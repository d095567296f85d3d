import { z } from 'zod';
import { bootCopyLetters } from './boot-copy.ts';
import { digestSchema } from './image.ts';
import { installOptionsSchema, machineFactsSchema } from './machine.ts';
import { groupsSchema, scriptSchema } from './scripts.ts';
import { errorValueSchema, taskEventSchema } from './task-event.ts';

/**
 * What the imager and the server say to each other, over plain HTTP (`docs/imager-protocol.md`).
 *
 * The imager trusts nothing but the public key that it carries: every answer that it acts on comes as a `SignedAnswer`
 * whose payload repeats the nonce of the question, so that an old answer cannot be played again.
 *
 * - `POST /imager/v1/hello` `ImagerHello` → `SignedAnswer` of `ImagerOrder`. Waits up to `waitSeconds` for an order.
 * - `POST /imager/v1/events` `ImagerEvents` → 204. Events of one task may come again; the server drops what it has.
 * - `POST /imager/v1/outcome` `ImagerOutcome` → 204.
 * - `POST /imager/v1/object` `{order, session, number}` → the object's file, for the boot of the imager that has the order.
 * - `POST /imager/v1/boot-copy` `ImagerBootCopy` → `{number}`: what boots from a disk that is about to be written, for the boot that has the order.
 * - `POST /imager/v1/frames` `ImagerFrames` → 204: what was read first, for the next machine that starts the same version live.
 * - `POST /imager/v1/scripts` `ScriptsQuestion` → `SignedAnswer` of `ScriptsAnswer`, for installs by a `local.cfg`.
 * - `GET /store/…` the store as plain files, with ranges.
 */
export const imagerHelloSchema = z.object({
  /** 32 random bytes as hexadecimal digits, new for every question. */
  nonce: z.string().regex(/^[0-9a-f]{64}$/),
  /** One for each boot of the imager: tells a second boot from a second question. */
  session: z.string().regex(/^[0-9a-f]{32}$/),
  facts: machineFactsSchema,
  waitSeconds: z.number().min(0).max(60),
  /** That this imager runs scripts; one that was made before it could is given no order that has some. */
  scripts: z.literal(true).optional(),
  /** Public key (X25519, SPKI, base64) of this boot: secrets come sealed for it. */
  seal: z.string().max(200).optional(),
  /** Why the imager could not act on the answer before: it cannot trust this server's key, say. Nothing was done. */
  problem: errorValueSchema.optional(),
});
export type ImagerHello = z.infer<typeof imagerHelloSchema>;

/** A secret sealed for one boot of an imager (`image/sealed-secret.ts`), all base64. */
export const sealedSecretSchema = z.object({
  key: z.string().max(200),
  iv: z.string().max(40),
  sealed: z.string().max(2000),
});
export type SealedSecret = z.infer<typeof sealedSecretSchema>;

const idleOrderSchema = z.object({ kind: z.literal('wait'), name: z.string(), message: z.string() });
const rebootOrderSchema = z.object({ kind: z.literal('boot-disk'), name: z.string(), message: z.string() });
/** Frames of a store, `PACK OFFSET`, in the order in which they are wanted. */
export const liveFramesSchema = z.array(z.string().regex(/^[0-9a-f]{64} \d{1,15}$/)).max(400);

const installOrderSchema = z.object({
  kind: z.literal('install'),
  /** The order's own id: the task's id for its events, and what the outcome names. */
  id: z.string(),
  /** Host name that the machine gets. */
  name: z.string(),
  address: z.string().optional(),
  image: z.string(),
  digest: digestSchema,
  /** Canonical JSON of the version record and its signature, so that nothing must be looked up before it is checked. */
  record: z.string(),
  recordSignature: z.string(),
  /** URL of the store, seen from the machine. */
  store: z.string(),
  options: installOptionsSchema,
  /** What is run before, in and after the install (docs/scripts.md): those of this machine, chosen, in their order. */
  scripts: z.array(scriptSchema).optional(),
  groups: groupsSchema.optional(),
  /** By which encrypted devices of the layout are opened; absent: somebody says it at the console. */
  passphrase: sealedSecretSchema.optional(),
  /** Of a live install: what earlier starts of the same version read first. A hint, nothing more. */
  frames: liveFramesSchema.optional(),
  /** What makes the machine itself, kept by the server: fetched by `POST /imager/v1/object`, and laid over the new system. */
  object: z.object({ number: z.int().positive(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }).optional(),
});
export type InstallOrder = z.infer<typeof installOrderSchema>;

export const imagerOrderSchema = z.object({
  nonce: z.string(),
  /** Server's time, milliseconds since 1970: a bare machine's clock may be years off. */
  time: z.number(),
  order: z.discriminatedUnion('kind', [idleOrderSchema, rebootOrderSchema, installOrderSchema]),
});
export type ImagerOrder = z.infer<typeof imagerOrderSchema>;

/** `payload` is the JSON text that was signed (ed25519, base64, over its UTF-8 bytes). */
export const signedAnswerSchema = z.object({ payload: z.string(), signature: z.string() });
export type SignedAnswer = z.infer<typeof signedAnswerSchema>;

/** `POST /imager/v1/scripts`: of a machine that installs itself by a `local.cfg`, with a version of this server. */
export const scriptsQuestionSchema = z.object({
  nonce: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string().max(300),
  /** Without number or tag. */
  image: z.string().max(300),
  /** Empty: those that the server knows of the machine of that name. */
  groups: groupsSchema,
});
export type ScriptsQuestion = z.infer<typeof scriptsQuestionSchema>;

/** Its answer, as payload of a `SignedAnswer`. */
export const scriptsAnswerSchema = z.object({ nonce: z.string(), time: z.number(), scripts: z.array(scriptSchema) });
export type ScriptsAnswer = z.infer<typeof scriptsAnswerSchema>;

export const imagerEventsSchema = z.object({
  session: z.string(),
  order: z.string(),
  events: z.array(taskEventSchema),
});
export type ImagerEvents = z.infer<typeof imagerEventsSchema>;

/** A safety copy, made before the disk that it is of is written. */
export const imagerBootCopySchema = z.object({
  order: z.string().max(100),
  session: z.string().max(100),
  /** The file, base64. */
  content: z.base64().max(bootCopyLetters),
});
export type ImagerBootCopy = z.infer<typeof imagerBootCopySchema>;

/** `POST /imager/v1/frames`: what a live start read until its system was up. */
export const imagerFramesSchema = z.object({
  order: z.string().max(100),
  session: z.string().max(100),
  frames: liveFramesSchema,
});
export type ImagerFrames = z.infer<typeof imagerFramesSchema>;

export const imagerOutcomeSchema = z.object({
  session: z.string(),
  order: z.string(),
  outcome: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('installed'), digest: digestSchema, bootedFirmware: z.enum(['bios', 'uefi']) }),
    z.object({ kind: z.literal('refused'), error: errorValueSchema }),
    z.object({ kind: z.literal('failed'), error: errorValueSchema, step: z.string().optional() }),
    /** The installed system's first boot, by the small unit that the install put there. */
    z.object({ kind: z.literal('healthy'), digest: digestSchema }),
  ]),
});
export type ImagerOutcome = z.infer<typeof imagerOutcomeSchema>;
