import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { digestSchema, imageNameSchema, tagSchema } from '../../contract/image.ts';
import type { RawPath } from '../../foundation/brand.ts';
import { writeFileDurably } from '../../store/durable.ts';

const rawPathSchema = z.string().transform((path) => path as RawPath);

/** What is known of an edit; kept beside its tree, so that it can be gone on with when the process that made it was killed. */
export const editStateSchema = z.object({
  format: z.literal(1),
  id: z.string(),
  /** What it began from, for people: `web:3`, or a suite. */
  from: z.string(),
  /** The version it began from, if it was one. */
  base: z.object({ image: imageNameSchema, number: z.int().positive(), digest: digestSchema }).optional(),
  /** Of a build: its recipe. Nobody can go on with one that was killed, for nobody knows how far it got. */
  recipe: z.string().optional(),
  /** The image that gets the new version. */
  image: imageNameSchema,
  tag: tagSchema.optional(),
  message: z.string().optional(),
  /** ISO 8601, UTC. */
  begun: z.string(),
  /** `preparing`: the tree is not whole yet. `open`: worked in, or to be. */
  stage: z.enum(['preparing', 'open']),
  /** The boot of this machine that wrote the tree, and whether all of it reached the disk: what a power cut leaves of one that did not is worth nothing. */
  boot: z.string(),
  durable: z.boolean(),
  /** Mount points that the tree did not have; they go before it becomes a version. */
  missing: z.array(z.object({ path: z.string(), kind: z.enum(['file', 'directory']) })),
  resolvConf: z.string().optional(),
  policy: z.string().optional(),
  facts: z.object({ isSystem: z.boolean(), excludes: z.array(z.string()), secrets: z.array(rawPathSchema) }),
});
export type EditState = z.output<typeof editStateSchema>;

/** Where the parts of an edit lie. */
export interface EditPlace {
  readonly directory: string;
  /** The tree that is worked in. */
  readonly root: string;
  readonly stateFile: string;
  /** What the file system said of the tree when it was written. */
  readonly hintsFile: string;
  /** Locked by who works in it. */
  readonly lockFile: string;
}

/** The parts of the edit that lies in `directory`. */
export function editPlace(directory: string): EditPlace {
  return {
    directory,
    root: join(directory, 'root'),
    stateFile: join(directory, 'edit.json'),
    hintsFile: join(directory, 'hints'),
    lockFile: join(directory, 'lock'),
  };
}

/** Where all edits lie. */
export function editsDirectory(data: string): string {
  return join(data, 'edits');
}

/** Undefined where there is none, or one that cannot be read: nothing was done in it yet. */
export async function readEditState(place: EditPlace): Promise<EditState | undefined> {
  try {
    return editStateSchema.parse(JSON.parse(await readFile(place.stateFile, 'utf8')));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Puts the state in place whole. */
export async function writeEditState(place: EditPlace, state: EditState): Promise<void> {
  await writeFileDurably(place.stateFile, `${JSON.stringify(state, undefined, 2)}\n`, place.directory);
}
