import { z } from 'zod';
import { defineOperation } from '../operation.ts';

export const netbootMediaInputSchema = z.object({
  /** Debian suite that kernel and tools come from. */
  suite: z
    .string()
    .regex(/^[a-z]+$/, 'must be the code name of a Debian release: bookworm, trixie')
    .default('bookworm'),
  /** Fetches the suite's present packages, even where a base made earlier would do: for a newer kernel. */
  refresh: z.boolean().default(false),
});
export type NetbootMediaInput = z.infer<typeof netbootMediaInputSchema>;
/** The same before defaults were filled in. */
export type NetbootMediaRequest = z.input<typeof netbootMediaInputSchema>;

export const netbootMediaOutputSchema = z.object({
  /** Where the files lie: `DATA/netboot`. */
  directory: z.string(),
  /** Each file below it, with its size and SHA-256 (64 hexadecimal digits). */
  files: z.array(z.object({ path: z.string(), bytes: z.number(), sha256: z.string() })),
  /** Version of the imager's kernel, `6.1.0-50-amd64`. */
  kernel: z.string(),
  suite: z.string(),
  /** Whether the base came from the cache. */
  cached: z.boolean(),
  /** Identity of the key that the imager trusts. */
  key: z.string(),
});
export type NetbootMediaOutput = z.infer<typeof netbootMediaOutputSchema>;

/** `imprint media netboot`: what bare machines boot from the network. */
export const netbootMedia = defineOperation({
  name: 'media.netboot',
  summary: 'Make the files that bare machines boot from the network: the imager and its boot loaders',
  input: netbootMediaInputSchema,
  output: netbootMediaOutputSchema,
  errors: ['tool-missing', 'process-failed', 'disk-full', 'imager-unbuilt'],
  effect: 'change',
  runsOn: 'anywhere',
  long: true,
});
