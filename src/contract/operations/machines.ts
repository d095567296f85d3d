import { z } from 'zod';
import { machineObjectsSchema } from '../kept-object.ts';
import {
  diskRuleSchema,
  homePlaceSchema,
  installLayoutSchema,
  installOptionsSchema,
  machineNameSchema,
  machineSchema,
  ownLayoutSchema,
  rootFileSystemSchema,
  shareSizeSchema,
  slotCountSchema,
} from '../machine.ts';
import { machineRuleChangesSchema } from '../machine-rules.ts';
import { defineOperation } from '../operation.ts';
import { eraseKindsSchema } from '../partition-kind.ts';
import { groupsSchema } from '../scripts.ts';

/** Which machines: a node range of names (`web[01-20]`), names given to discovered ones, or MAC addresses. */
export const machineRangeSchema = z.string().trim().min(1).max(10_000);
/** One machine: its name, `mac-525400123456`, or one of its MAC addresses. */
export const machineReferenceSchema = z.string().trim().min(1).max(300);
/** `10.0.0.11`, or `10.0.0.11+` to count up from there. */
export const addressesSchema = z
  .string()
  .regex(/^\d+\.\d+\.\d+\.\d+\+?$/, 'must be an IPv4 address, with “+” behind it to count up');
/** An image reference as a person writes it; whether it names a version is seen when an install is ordered. */
export const imageReferenceSchema = z.string().trim().min(1).max(300);

/** Changes to install options: `null` takes one away, what is absent stays. */
export const installOptionChangesSchema = z.object({
  disk: diskRuleSchema.nullable().optional(),
  layout: installLayoutSchema.nullable().optional(),
  own: ownLayoutSchema.nullable().optional(),
  slots: slotCountSchema.nullable().optional(),
  share: shareSizeSchema.nullable().optional(),
  home: homePlaceSchema.nullable().optional(),
  fileSystem: rootFileSystemSchema.nullable().optional(),
  swap: z.int().nonnegative().nullable().optional(),
  kernelOptions: z.string().nullable().optional(),
  erase: eraseKindsSchema.nullable().optional(),
  bootCopy: z.literal('none').nullable().optional(),
  live: z.boolean().nullable().optional(),
  rate: z.int().positive().nullable().optional(),
  afterwards: z.enum(['reboot', 'poweroff', 'wait']).nullable().optional(),
});

const machinesOutput = z.object({ machines: z.array(machineSchema) });

export const machineList = defineOperation({
  name: 'machine.list',
  summary: 'List machines, all or those of a node range',
  input: z.object({ machines: machineRangeSchema.optional() }),
  output: machinesOutput,
  errors: ['machine-not-found', 'input-invalid'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

export const machineShow = defineOperation({
  name: 'machine.show',
  summary: 'Show one machine with its facts',
  input: z.object({ machine: machineReferenceSchema }),
  output: machineSchema,
  errors: ['machine-not-found'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

export const machineAdd = defineOperation({
  name: 'machine.add',
  summary: 'Register machines by name, all of them or none',
  input: z.object({
    /** A node range: `web[01-20]`. */
    machines: machineRangeSchema,
    /** One MAC address for each machine, in the order of the range, in any usual spelling; none: they come later. */
    macs: z.array(z.string()).optional(),
    address: addressesSchema.optional(),
    image: imageReferenceSchema.optional(),
    groups: groupsSchema.optional(),
    options: installOptionsSchema.optional(),
  }),
  output: machinesOutput,
  errors: ['machine-conflict', 'input-invalid'],
  effect: 'change',
  runsOn: 'server',
  long: false,
});

export const machineSet = defineOperation({
  name: 'machine.set',
  summary: 'Change what machines are to be; makes a refused install try again',
  input: z.object({
    machines: machineRangeSchema,
    image: imageReferenceSchema.nullable().optional(),
    address: addressesSchema.nullable().optional(),
    /** All MAC addresses of the machine (one machine only). */
    macs: z.array(z.string()).optional(),
    /** All groups that they are in. */
    groups: groupsSchema.nullable().optional(),
    options: installOptionChangesSchema.optional(),
    rules: machineRuleChangesSchema.optional(),
  }),
  output: machinesOutput,
  errors: ['machine-not-found', 'machine-conflict', 'input-invalid'],
  effect: 'change',
  runsOn: 'server',
  long: false,
});

export const machineApprove = defineOperation({
  name: 'machine.approve',
  summary: 'Name a discovered machine; a registered name without MAC addresses takes it over',
  input: z.object({
    machine: machineReferenceSchema,
    name: machineNameSchema,
    image: imageReferenceSchema.optional(),
    address: addressesSchema.optional(),
  }),
  output: machineSchema,
  errors: ['machine-not-found', 'machine-conflict', 'input-invalid'],
  effect: 'change',
  runsOn: 'server',
  long: false,
});

export const machineRemove = defineOperation({
  name: 'machine.rm',
  summary: 'Forget machines; their disks are not touched',
  input: z.object({
    machines: machineRangeSchema,
    /** Also while one is being installed. */
    force: z.boolean().optional(),
  }),
  output: z.object({ removed: z.array(z.string()) }),
  errors: ['machine-not-found', 'machine-busy'],
  effect: 'change',
  runsOn: 'server',
  long: false,
});

export const machineObjects = defineOperation({
  name: 'machine.objects',
  summary: 'List what the server keeps of what makes a machine itself',
  input: z.object({ machine: machineReferenceSchema }),
  output: machineObjectsSchema,
  errors: ['machine-not-found'],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

export const machineForgetObjects = defineOperation({
  name: 'machine.forget-objects',
  summary: 'Forget what the server keeps of what makes a machine itself',
  input: z.object({ machine: machineReferenceSchema }),
  output: z.object({ machine: machineNameSchema, forgotten: z.number() }),
  errors: ['machine-not-found'],
  effect: 'change',
  runsOn: 'server',
  long: false,
});
