import { z } from 'zod';
import { defineOperation } from '../operation.ts';
import { namedVersionSchema, slotSchema, updateOptionsSchema, updatePlanSchema } from '../update.ts';
import { placedOrderSchema } from './installs.ts';
import { imageReferenceSchema, machineRangeSchema } from './machines.ts';

export const updateOrder = defineOperation({
  name: 'update.order',
  summary: 'Order one update of each machine, done by its agent; all or none',
  input: z.object({
    machines: machineRangeSchema,
    /** Absent: the image that is set on each machine, else the newest version of what it runs. */
    image: imageReferenceSchema.optional(),
    options: updateOptionsSchema.optional(),
    /** Milliseconds since 1970 before which nothing is begun. */
    notBefore: z.number().optional(),
  }),
  output: z.object({ orders: z.array(placedOrderSchema) }),
  errors: [
    'machine-not-found',
    'machine-not-approved',
    'machine-busy',
    'agent-missing',
    'image-not-found',
    'signature-missing',
    'signature-wrong',
    'input-invalid',
  ],
  effect: 'change',
  runsOn: 'server',
  long: false,
});

export const revertOrder = defineOperation({
  name: 'revert.order',
  summary: 'Order each machine back to the version before, or to a given one; all or none',
  input: z.object({
    machines: machineRangeSchema,
    /** Absent: the version before. */
    to: imageReferenceSchema.optional(),
    options: updateOptionsSchema.optional(),
  }),
  output: z.object({ orders: z.array(placedOrderSchema) }),
  errors: [
    'machine-not-found',
    'machine-not-approved',
    'machine-busy',
    'agent-missing',
    'nothing-before',
    'image-not-found',
  ],
  effect: 'change',
  runsOn: 'server',
  long: false,
});

export const updateCancel = defineOperation({
  name: 'update.cancel',
  summary: 'Take back orders to update or revert that have not begun',
  input: z.object({ machines: machineRangeSchema, force: z.boolean().optional() }),
  output: z.object({ cancelled: z.array(z.string()) }),
  errors: ['machine-not-found', 'machine-busy'],
  effect: 'change',
  runsOn: 'server',
  long: false,
});

/** How an update or a revert of this machine ended, as far as this process saw it. */
export const updateResultSchema = z.object({
  kind: z.enum([
    /** It runs this version already. */
    'current',
    /** It boots on trial at the next restart. */
    'staged',
    /** It runs: nothing had to restart. */
    'done',
  ]),
  from: namedVersionSchema.optional(),
  to: namedVersionSchema,
  slot: z.string(),
  entry: z.string(),
  fetched: z.object({ bytes: z.number(), requests: z.number() }).optional(),
  /** How the machine restarts; `none`: it is for somebody else to do. */
  reboot: z.object({ method: z.enum(['kexec', 'soft', 'full', 'none']), reasons: z.array(z.string()) }),
  services: z.array(z.string()).optional(),
  warnings: z.array(z.string()),
});
export type UpdateResult = z.infer<typeof updateResultSchema>;

export const machineUpdate = defineOperation({
  name: 'machine.update',
  summary: 'Bring this machine to a version: fetch, fill a slot or change in place, boot it on trial',
  input: z.object({
    /** `web:3`, `URL#web:3`, `DIR#web`; absent: the newest version of what runs. */
    image: z.string().max(2000).optional(),
    options: updateOptionsSchema,
    /** Order of the server that this carries out. */
    order: z.string().optional(),
  }),
  output: z.union([updateResultSchema, z.object({ dryRun: z.literal(true), plan: updatePlanSchema })]),
  errors: [
    'machine-unmanaged',
    'update-running',
    'trial-running',
    'image-unfit',
    'disk-full',
    'store-unreachable',
    'image-not-found',
  ],
  effect: 'change',
  runsOn: 'machine',
  long: true,
});

export const machineRevert = defineOperation({
  name: 'machine.revert',
  summary: 'Bring this machine back to the version before, or to any other that is in a slot',
  input: z.object({
    /** `web:1`, a digest, an entry, or the name of a slot; absent: the version before. */
    to: z.string().max(2000).optional(),
    options: updateOptionsSchema,
    order: z.string().optional(),
  }),
  output: updateResultSchema,
  errors: ['machine-unmanaged', 'update-running', 'nothing-before', 'in-place-unfit'],
  effect: 'change',
  runsOn: 'machine',
  long: true,
});

export const machineSlots = defineOperation({
  name: 'machine.slots',
  summary: 'Show the slots of this machine, what is in them, and which one boots',
  input: z.object({}),
  output: z.object({
    layout: z.enum(['single', 'slots', 'files']),
    situation: z.string(),
    /** Tries that the trial has left. */
    left: z.number().optional(),
    slots: z.array(slotSchema),
    /** Slots that hold nothing. */
    empty: z.array(z.string()),
    /** Files of the version that an update in place did not put over the machine’s: paths below `/var/lib/imprint/unmerged`. */
    unmerged: z.array(z.string()),
    /** Of a host partition whose image files share blocks: bytes that are free, and that should be. */
    room: z.object({ free: z.number(), wanted: z.number() }).optional(),
    failure: z.object({ entry: z.string(), reason: z.string(), time: z.string() }).optional(),
    /** What is wrong with the boot partitions of other disks, which should start this machine, too. */
    boots: z.array(z.string()).optional(),
  }),
  errors: ['machine-unmanaged'],
  effect: 'read',
  runsOn: 'machine',
  long: false,
});

export const slotFill = defineOperation({
  name: 'slot.fill',
  summary: 'Put any image into a system partition that nothing needs, while this machine works',
  input: z.object({
    /** `web:3`, `URL#web:3`, `DIR#web`. */
    image: z.string().min(1).max(2000),
    slot: z.string().max(40).optional(),
    /** Bytes in a second that may be fetched. */
    rate: z.int().positive().optional(),
  }),
  output: z.union([
    z.object({
      version: namedVersionSchema,
      slot: z.string(),
      entry: z.string(),
      /** What it is a version of. */
      system: z.string(),
      fetched: z.object({ bytes: z.number(), requests: z.number() }),
      warnings: z.array(z.string()),
    }),
    z.object({ dryRun: z.literal(true), slot: z.string(), reference: z.string() }),
  ]),
  errors: [
    'machine-unmanaged',
    'update-running',
    'trial-running',
    'slot-unfit',
    'image-unfit',
    'disk-full',
    'store-unreachable',
    'image-not-found',
  ],
  effect: 'change',
  runsOn: 'machine',
  long: true,
});

export const slotFree = defineOperation({
  name: 'slot.free',
  summary: 'Take what lies in a system partition out of the boot menu, so that it can be filled anew',
  input: z.object({ slot: z.string().min(1).max(40) }),
  output: z.object({ slot: z.string(), entries: z.array(z.string()), references: z.array(z.string()) }),
  errors: ['machine-unmanaged', 'update-running', 'slot-needed'],
  effect: 'destroy',
  runsOn: 'machine',
  long: false,
});

export const machineCommit = defineOperation({
  name: 'machine.commit',
  summary: 'Make the version that runs the one that boots from now on',
  input: z.object({ /** Without looking whether it is healthy. */ force: z.boolean().optional() }),
  output: z.object({ entry: z.string(), reference: z.string(), was: z.string(), checks: z.array(z.string()) }),
  errors: ['machine-unmanaged', 'update-running', 'trial-failed'],
  effect: 'change',
  runsOn: 'machine',
  long: true,
});
