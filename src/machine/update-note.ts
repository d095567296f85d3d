import { z } from 'zod';
import { digestSchema } from '../contract/image.ts';

const versionSchema = z.object({ image: z.string(), digest: digestSchema });

const noteSchema = z.object({
  format: z.literal(1),
  kind: z.enum(['update', 'revert']),
  /** Order of the server that it carries out. */
  order: z.string().optional(),
  /** Entry that is to run then. */
  entry: z.string(),
  from: versionSchema,
  to: versionSchema,
  /** Milliseconds since 1970. */
  started: z.number(),
  /** Units that had failed in the version before: they condemn nothing. */
  failedUnits: z.array(z.string()),
});

/**
 * What userspace notes of an update on the boot partition (`imprint/update.json`), for the agent of whichever slot runs next: whose order it is,
 * and what was amiss before. Nothing that decides about booting.
 */
export type UpdateNote = z.infer<typeof noteSchema>;

/** Bytes of the file: it is written in place. */
export const noteSize = 8192;
const mostUnits = 100;

/** The note's text in its fixed length; undefined: an empty one. */
export function renderUpdateNote(note: UpdateNote | undefined): string {
  if (note === undefined) return `${' '.repeat(noteSize - 1)}\n`;
  const units = note.failedUnits.filter((unit) => /^[\x21-\x7e]{1,60}$/.test(unit)).slice(0, mostUnits);
  return `${JSON.stringify({ ...note, failedUnits: units }).padEnd(noteSize - 1, ' ')}\n`;
}

/** The note; undefined where there is none, or none that can be read. */
export function parseUpdateNote(text: string): UpdateNote | undefined {
  try {
    const parsed = noteSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
