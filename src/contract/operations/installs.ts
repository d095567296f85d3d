import { z } from 'zod';
import { digestSchema } from '../image.ts';
import {
  diskFactsSchema,
  diskRuleSchema,
  homePlaceSchema,
  installLayoutSchema,
  rootFileSystemSchema,
  shareSizeSchema,
  slotCountSchema,
} from '../machine.ts';
import { defineOperation } from '../operation.ts';
import { eraseKindsSchema } from '../partition-kind.ts';
import { errorValueSchema } from '../task-event.ts';
import { lossSchema } from './layouts.ts';
import { imageReferenceSchema, installOptionChangesSchema, machineRangeSchema } from './machines.ts';

/** What somebody can type at a console: in one line. */
const passphraseSchema = z
  .string()
  .min(8, 'must have 8 characters at least')
  .max(512)
  .regex(/^[^\r\n\0]+$/, 'must be one line');

/** An order to install, as it was placed. Its id is also the id of the task that carries it out. */
export const placedOrderSchema = z.object({
  id: z.string(),
  machine: z.string(),
  /** `web:3`. */
  image: z.string(),
  digest: digestSchema,
});
export type PlacedOrder = z.infer<typeof placedOrderSchema>;

/** What an install of one machine would do, as far as the server knows the machine. */
export const plannedInstallSchema = z.object({
  machine: z.string(),
  /** `web:3`. */
  image: z.string(),
  digest: digestSchema,
  /** What the machine's disk holds now, where it was installed by us. */
  installed: z.string().optional(),
  /** The disk that would be erased; absent where the machine was never seen, or the plan is refused. */
  disk: diskFactsSchema.optional(),
  /** Disks beside it that would be erased, too, in part at least. */
  others: z.array(diskFactsSchema).optional(),
  /** What of the disk would not be there any more. */
  lost: z.array(lossSchema).optional(),
  /** Each step in words, in order. Empty where the machine was never seen, or the plan is refused. */
  steps: z.array(z.string()),
  /** Why nothing would be written. */
  refused: errorValueSchema.optional(),
});
export type PlannedInstall = z.infer<typeof plannedInstallSchema>;

export const installPlan = defineOperation({
  name: 'install.plan',
  summary: 'Say what an install of each machine would do to its disk, or why nothing would be written; do nothing',
  input: z.object({
    machines: machineRangeSchema,
    /** Absent: the image that is set on each machine. */
    image: imageReferenceSchema.optional(),
    /** Instead of the machines' own install options. */
    disk: diskRuleSchema.optional(),
    layout: installLayoutSchema.optional(),
    /** Name and text of the layout `own`. */
    ownName: z.string().optional(),
    ownText: z.string().optional(),
    slots: z.coerce.number().pipe(slotCountSchema).optional(),
    share: z.coerce.number().pipe(shareSizeSchema).optional(),
    home: homePlaceSchema.optional(),
    fileSystem: rootFileSystemSchema.optional(),
    swap: z.coerce.number().int().nonnegative().optional(),
    erase: eraseKindsSchema.optional(),
    bootCopy: z.literal('none').optional(),
    live: z.union([z.boolean(), z.stringbool()]).optional(),
  }),
  output: z.object({ plans: z.array(plannedInstallSchema) }),
  errors: [
    'machine-not-found',
    'image-not-found',
    'signature-missing',
    'signature-wrong',
    'input-invalid',
    'script-invalid',
  ],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

export const installOrder = defineOperation({
  name: 'install.order',
  summary: 'Order one install of each machine, at its next netboot or at once where its imager waits; all or none',
  input: z.object({
    machines: machineRangeSchema,
    /** Absent: the image that is set on each machine. Given: it is also set on them. */
    image: imageReferenceSchema.optional(),
    /** Changes to the machines' own install options. */
    options: installOptionChangesSchema.optional(),
    /** By which encrypted devices of the layout are opened: kept until the install is done. Absent: asked at the machine's console. */
    passphrase: passphraseSchema.optional(),
  }),
  output: z.object({ orders: z.array(placedOrderSchema) }),
  errors: [
    'machine-not-found',
    'machine-not-approved',
    'machine-busy',
    'image-not-found',
    'signature-missing',
    'signature-wrong',
    'input-invalid',
    'script-invalid',
  ],
  effect: 'destroy',
  runsOn: 'server',
  long: false,
});

export const installCancel = defineOperation({
  name: 'install.cancel',
  summary: 'Take back orders that have not begun',
  input: z.object({
    machines: machineRangeSchema,
    /** Also for a machine in mid-install, whose disk is then in no good state. */
    force: z.boolean().optional(),
  }),
  output: z.object({ cancelled: z.array(z.string()) }),
  errors: ['machine-not-found', 'machine-busy'],
  effect: 'change',
  runsOn: 'server',
  long: false,
});
