import { z } from 'zod';
import { imageNameSchema, tagSchema } from '../image.ts';
import { defineOperation } from '../operation.ts';
import { captureOutputSchema } from './capture.ts';
import { referenceSchema } from './images.ts';

/** How an edit is called: `web-k7pd`. */
export const editIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,140}$/, 'must be an edit’s name, as --list shows it');

const editOptions = {
  /** Runs in the tree, instead of a shell. */
  command: z.array(z.string()).default([]),
  /** A tag for the new version; it moves where the image has it already. */
  tag: tagSchema.optional(),
  message: z.string().max(4096).optional(),
  /** Keeps what a command did that failed, to go on from there. */
  keep: z.boolean().default(false),
};

/** What `imprint edit` needs to know: a version to begin from, or an edit to go on with. */
export const editInputSchema = z.union([
  z.object({
    reference: referenceSchema,
    /** The image that gets the new version; absent: the one that is edited. */
    name: imageNameSchema.optional(),
    ...editOptions,
  }),
  z.object({ resume: editIdSchema, ...editOptions }),
]);
export type EditInput = z.infer<typeof editInputSchema>;

/** The version that an edit or a build made. */
export const editOutputSchema = captureOutputSchema.omit({ excluded: true }).extend({
  /** `unchanged`: what came of it is the version that `reference` names already; none was made. */
  outcome: z.enum(['committed', 'unchanged']),
});
export type EditOutput = z.infer<typeof editOutputSchema>;

export const imageEdit = defineOperation({
  name: 'image.edit',
  summary: 'Work inside a writable copy of a version; leaving it with 0 makes the next version',
  input: editInputSchema,
  output: editOutputSchema,
  errors: [
    'image-not-found',
    'edit-not-found',
    'edit-busy',
    'edit-unfit',
    'edit-discarded',
    'edit-kept',
    'not-root',
    'store-locked',
    'disk-full',
    'interrupted',
  ],
  effect: 'change',
  runsOn: 'server',
  long: true,
});

export const editListingSchema = z.object({
  id: z.string(),
  /** What it began from: `web:3`; of a build, its recipe. */
  base: z.string(),
  /** The image that gets the version. */
  image: z.string(),
  /** ISO 8601, UTC. */
  begun: z.string(),
  /** Whether a process works in it now. */
  busy: z.boolean(),
  message: z.string().optional(),
});
export type EditListing = z.infer<typeof editListingSchema>;

export const editList = defineOperation({
  name: 'edit.list',
  summary: 'List edits that go on, or were cut short',
  input: z.object({}),
  output: z.object({ edits: z.array(editListingSchema) }),
  errors: [],
  effect: 'read',
  runsOn: 'server',
  long: false,
});

export const editDiscard = defineOperation({
  name: 'edit.discard',
  summary: 'Throw an edit away',
  input: z.object({ id: editIdSchema }),
  output: z.object({ id: z.string() }),
  errors: ['edit-not-found', 'edit-busy'],
  effect: 'destroy',
  runsOn: 'server',
  long: true,
});
