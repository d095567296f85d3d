import { z } from 'zod';
import { sourceFactsSchema } from '../image.ts';
import { defineOperation } from '../operation.ts';

/** What `imprint prepare` needs to know. */
const prepareInputSchema = z.object({
  /** Opens a door for one capture; without it the machine is only looked at. */
  door: z.boolean().default(true),
  /** TCP port of the door. */
  port: z.int().min(1).max(65535).default(4222),
  /** Minutes in which the capture must begin. */
  minutes: z.int().min(1).max(1440).default(60),
  /** How the capturing side reaches this machine; absent: its first address. */
  address: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._:%-]*$/, 'must be a host name or an address')
    .optional(),
  /** Where facts of this machine are written, so that they become part of the image; absent: nowhere. */
  record: z.string().optional(),
});
export type PrepareInput = z.infer<typeof prepareInputSchema>;

/** What was found, and the door if one was opened. */
const prepareOutputSchema = z.object({
  facts: sourceFactsSchema,
  /** Each file system that a capture would take, and whether it can be read as it is at one moment. */
  consistency: z.array(
    z.object({
      mountPoint: z.string(),
      type: z.string(),
      /** As `source.fileSystems[].consistency` of a version record will say. */
      consistency: z.string(),
      /** Why it can only be read live. */
      reason: z.string().optional(),
    }),
  ),
  /** File systems that a capture leaves out, and why. */
  leftOut: z.array(z.object({ mountPoint: z.string(), type: z.string(), reason: z.string() })),
  /** Scripts that run before and after a capture. */
  scripts: z.array(z.string()),
  /** What stands in the way of a capture. */
  problems: z.array(z.string()),
  record: z.string().optional(),
  door: z
    .object({
      port: z.int(),
      /** ISO 8601, UTC: until then the capture must have begun. */
      until: z.string(),
      token: z.string(),
      /** What is to be typed on the capturing side; NAME is still to be chosen. */
      command: z.string(),
    })
    .optional(),
});
export type PrepareOutput = z.infer<typeof prepareOutputSchema>;

/** Makes a machine ready to be captured: looks at it, and opens a one-time door. */
export const prepareOperation = defineOperation({
  name: 'golden.prepare',
  summary: 'Look at this machine, and open a one-time door for its capture',
  input: prepareInputSchema,
  output: prepareOutputSchema,
  errors: ['not-root', 'tool-missing', 'port-in-use', 'door-unused', 'interrupted'],
  effect: 'change',
  runsOn: 'machine',
  long: true,
});
