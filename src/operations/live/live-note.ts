import { z } from 'zod';
import { digestSchema } from '../../contract/image.ts';
import type { Step } from '../../planning/step.ts';

const noteSchema = z.object({
  format: z.literal(1),
  name: z.string(),
  reference: z.string(),
  digest: digestSchema,
  record: z.string(),
  recordSignature: z.string(),
  store: z.string(),
  device: z.string(),
  uuid: z.string(),
  fileSystem: z.enum(['ext4', 'xfs', 'btrfs']),
  /** Seconds since 1970: what the file system says of its own making. */
  time: z.number(),
  order: z.string(),
  /** Written by us, read by us. */
  steps: z.array(z.custom<Step>((value) => typeof value === 'object' && value !== null && 'kind' in value)),
});

/** What a start needs to go on with a move, beside its record: where the content comes from, and what is left to be done. */
export type LiveNote = z.infer<typeof noteSchema>;

/** What is left to do when the system runs. */
export function stepsAfterStart(steps: readonly Step[]): Step[] {
  return steps.slice(steps.findIndex(({ kind }) => kind === 'hand-over'));
}

/** What is left where a move broke off in a start, of all its steps and of those behind the start. What was begun is done once more. */
export function stepsToGoOn(
  all: readonly Step[],
  behind: readonly Step[],
  { isKept, isMoving }: { isKept: boolean; isMoving: boolean },
): Step[] {
  if (isMoving) return behind.filter(({ kind }) => kind === 'move-live');
  return isKept ? [...behind] : all.slice(all.findIndex(({ kind }) => kind === 'start-live') + 1);
}

export function renderNote(note: LiveNote): string {
  return JSON.stringify(note);
}

/**
 * Undefined: it is none of ours. Disks may be called otherwise at this start: `device` is the partition that the note was found on.
 */
export function parseNote(text: string, device: string): LiveNote | undefined {
  try {
    const { data } = noteSchema.safeParse(JSON.parse(text));
    if (data === undefined || data.device === device) return data;
    const [before, now] = [data.device, device].map(diskOf) as [string, string];
    return noteSchema.safeParse(JSON.parse(text.replaceAll(`"${before}`, `"${now}`))).data;
  } catch {
    return undefined;
  }
}

function diskOf(partition: string): string {
  return /^(.*\d)p\d+$/.exec(partition)?.[1] ?? partition.replace(/\d+$/, '');
}
