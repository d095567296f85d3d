import { z } from 'zod';
import { tagSchema } from '../image.ts';
import { defineOperation } from '../operation.ts';
import { editOutputSchema } from './edits.ts';

/** What `imprint build` needs to know. */
export const buildInputSchema = z.object({
  /** Path of the recipe (docs/edit-and-build.md). */
  recipe: z.string().min(1),
  /** Instead of what the recipe says. */
  tag: tagSchema.optional(),
  message: z.string().max(4096).optional(),
  /** Keeps the tree where a step fails, to look around in it with `imprint edit --resume`. */
  keep: z.boolean().default(false),
});
export type BuildInput = z.infer<typeof buildInputSchema>;

export const imageBuild = defineOperation({
  name: 'image.build',
  summary: 'Make a version from packages, files and scripts',
  input: buildInputSchema,
  output: editOutputSchema,
  errors: [
    'recipe-invalid',
    'image-not-found',
    'build-failed',
    'tool-missing',
    'not-root',
    'store-locked',
    'disk-full',
    'interrupted',
  ],
  effect: 'change',
  runsOn: 'server',
  long: true,
});
