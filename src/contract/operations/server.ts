import { z } from 'zod';
import { digestSchema } from '../image.ts';
import { machineStateSchema } from '../machine.ts';
import { defineOperation } from '../operation.ts';

export const netbootStatusSchema = z.object({
  interface: z.string(),
  /** `dhcp`: we hand out addresses; `proxy`: the site's DHCP server does, we only add where to boot from. */
  mode: z.enum(['dhcp', 'proxy']),
  state: z.enum(['running', 'restarting', 'stopped']),
  /** Why it is not running. */
  problem: z.string().optional(),
  restarts: z.number(),
  /** Whether kernel and initrd of the imager are there. */
  imager: z.boolean(),
});

export const serverStatus = defineOperation({
  name: 'server.status',
  summary: 'How the server is',
  input: z.object({}),
  output: z.object({
    version: z.string(),
    /** Milliseconds since 1970. */
    started: z.number(),
    url: z.string(),
    data: z.string(),
    store: z.string(),
    /** Why the store cannot be read, where it cannot. */
    storeProblem: z.string().optional(),
    /** Identity of the key that signs. */
    key: z.string(),
    machines: z.record(machineStateSchema, z.number()),
    runningTasks: z.number(),
    netboot: netbootStatusSchema.optional(),
  }),
  errors: [],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

/** Images as the status page shows them. The command line reads the store itself (`imprint images`). */
export const imageList = defineOperation({
  name: 'image.list',
  summary: 'List images with their versions, newest first',
  input: z.object({}),
  output: z.object({
    images: z.array(
      z.object({
        name: z.string(),
        versions: z.array(
          z.object({
            number: z.number(),
            digest: digestSchema,
            created: z.string(),
            message: z.string().optional(),
            tags: z.array(z.string()),
            system: z.string().optional(),
            entries: z.number(),
            contentBytes: z.number(),
            newBytes: z.number(),
            signed: z.boolean(),
            /** Names of the machines that have it on their disk. */
            machines: z.array(z.string()),
          }),
        ),
      }),
    ),
  }),
  errors: ['store-unreachable'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});
