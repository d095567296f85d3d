import { z } from 'zod';
import { digestSchema } from './image.ts';

/** A version as the agent names it: `web:3`, and its digest. */
export const agentVersionSchema = z.object({ image: z.string().max(300), digest: digestSchema });

/** How the machine is, as its agent sees it. */
export const agentReportSchema = z.object({
  /** Version of the agent's program. */
  program: z.string().max(100),
  /** Milliseconds since 1970 at which the kernel started. */
  booted: z.number(),
  layout: z.enum(['single', 'slots', 'files']).optional(),
  /** The version that runs; absent where the system is none of ours. */
  running: agentVersionSchema.extend({ entry: z.string().max(40), slot: z.string().max(40) }).optional(),
  /** How this boot stands to the pointer (`src/machine/trial.ts`). */
  situation: z.string().max(40).optional(),
  /** What `revert` goes back to. */
  previous: agentVersionSchema.optional(),
  /** What is to be proven, and the tries that it has left. */
  trial: agentVersionSchema.extend({ left: z.number() }).optional(),
  /** Scripts of the first boot that are not done: the one that runs, or that failed, with its last lines. */
  firstBoot: z
    .object({
      state: z.enum(['running', 'failed']),
      script: z.string().max(100).optional(),
      status: z.number().optional(),
      log: z.string().max(4000).optional(),
    })
    .optional(),
  /** Why the last trial was given up; stays until the next one succeeds. */
  failure: z.object({ image: z.string().max(300), reason: z.string().max(4000), time: z.number() }).optional(),
});
export type AgentReport = z.infer<typeof agentReportSchema>;
