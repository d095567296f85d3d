import { z } from 'zod';
import { bootCopyLetters, bootDiskSchema } from '../boot-copy.ts';
import { machineNameSchema } from '../machine.ts';
import { defineOperation } from '../operation.ts';
import { machineReferenceSchema } from './machines.ts';

/** A safety copy that the server keeps. */
export const keptBootCopySchema = z.object({
  /** Rises by one with each. */
  number: z.int().positive(),
  bytes: z.number(),
  /** Of the file. */
  sha256: z.string(),
  /** When it was made, ISO 8601, and when the server got it, milliseconds since 1970. */
  created: z.string(),
  received: z.number(),
  disk: bootDiskSchema,
  /** The order to install before which the imager made it. */
  order: z.string().optional(),
});
export type KeptBootCopy = z.infer<typeof keptBootCopySchema>;

export const bootCopyKeep = defineOperation({
  name: 'boot-copy.keep',
  summary: 'Keep a safety copy of what makes a disk of a machine boot; the last ten stay',
  input: z.object({
    machine: machineReferenceSchema,
    /** The file, base64. */
    content: z.base64().max(bootCopyLetters),
  }),
  output: z.object({ machine: machineNameSchema, copy: keptBootCopySchema }),
  errors: ['machine-not-found', 'boot-copy-invalid', 'disk-full'],
  effect: 'change',
  runsOn: 'server',
  long: false,
  bodyLimit: bootCopyLetters + 10_000,
});

export const bootCopyList = defineOperation({
  name: 'boot-copy.list',
  summary: 'List the safety copies of what makes a machine boot',
  input: z.object({ machine: machineReferenceSchema }),
  output: z.object({ machine: machineNameSchema, copies: z.array(keptBootCopySchema) }),
  errors: ['machine-not-found'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

export const bootCopyFetch = defineOperation({
  name: 'boot-copy.fetch',
  summary: 'Fetch a safety copy of what makes a machine boot, the newest unless told',
  input: z.object({ machine: machineReferenceSchema, number: z.coerce.number().int().positive().optional() }),
  output: z.object({ machine: machineNameSchema, copy: keptBootCopySchema, content: z.string() }),
  errors: ['machine-not-found', 'boot-copy-missing'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});
