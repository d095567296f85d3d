import { z } from 'zod';
import { imageNameSchema, tagSchema } from '../contract/image.ts';
import { ImprintError } from '../foundation/errors.ts';
import { parseExcludes } from './exclude.ts';
import { readYaml, schemaProblem } from './yaml-text.ts';

/** Everything in a recipe is text: `0644`, `no` and `1.10` stay what they are in YAML's failsafe schema. */
const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');
const absolutePath = z
  .string()
  .regex(/^\/(?!.*(?:^|\/)\.\.?(?:\/|$))[^\0]*$/, 'must be an absolute path without . and ..');
const owner = z.string().regex(/^(?:\d{1,10}|[a-z_][a-z0-9_.-]{0,31}\$?)$/, 'must be a user’s name or number');
const list = <Item extends z.ZodType>(item: Item) =>
  z.preprocess((value) => (value === '' ? [] : value), z.array(item)).default([]);

const baseSchema = z
  .strictObject({
    /** A version to begin from. */
    image: z.string().min(1).optional(),
    /** Or a Debian suite: `bookworm`. */
    suite: z
      .string()
      .regex(/^[a-z][a-z0-9.-]*$/, 'must be a suite’s name, such as bookworm')
      .optional(),
    variant: z.enum(['minbase', 'apt', 'essential', 'buildd', 'important', 'standard']).optional(),
    architecture: z
      .string()
      .regex(/^[a-z0-9]+$/)
      .optional(),
    /** Lines of `sources.list`; they stay in the image. */
    sources: list(z.string().regex(/^deb(-src)?\s\S/, 'must be a line of sources.list, such as “deb URI SUITE main”')),
  })
  .refine(({ image, suite }) => (image === undefined) !== (suite === undefined), {
    message: 'must name either an image or a suite',
  })
  .refine((base) => base.image === undefined || !(base.variant ?? base.architecture ?? base.sources[0]), {
    message: 'an image has its variant, architecture and sources already',
  });

const fileSchema = z
  .strictObject({
    path: absolutePath,
    /** Text of the file. */
    content: z.string().optional(),
    /** A file or a directory with all that is in it, from the recipe's own directory. */
    source: z.string().min(1).optional(),
    /** Target of a symbolic link. */
    link: z.string().min(1).optional(),
    /** An empty directory. */
    directory: flag.optional(),
    mode: z
      .string()
      .regex(/^[0-7]{3,4}$/, 'must be three or four octal digits')
      .transform((text) => Number.parseInt(text, 8))
      .optional(),
    owner: owner.optional(),
    group: owner.optional(),
    /** Laid before the packages are installed: what apt itself needs. */
    early: flag.default(false),
  })
  .refine(
    ({ content, source, link, directory }) =>
      [content, source, link, directory === true ? '' : undefined].filter((each) => each !== undefined).length === 1,
    { message: 'needs one of content, source, link, or directory: true' },
  );

const scriptSchema = z.union(
  [z.string().min(1), z.strictObject({ file: z.string().min(1) })],
  'must be lines of shell, or file: with the name of one',
);

const recipeSchema = z.strictObject({
  name: imageNameSchema,
  tag: tagSchema.optional(),
  message: z.string().max(4096).optional(),
  base: baseSchema,
  packages: list(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9+.:_~=/-]*$/, 'must be the name of a package')),
  /** Also what packages recommend. */
  recommends: flag.default(false),
  files: list(fileSchema),
  scripts: list(scriptSchema),
  excludes: list(z.string().min(1)),
  /** The time that all carries which the build makes: seconds since 1970, or ISO 8601. */
  epoch: z
    .string()
    .transform((text, context) => {
      const seconds = /^\d+$/.test(text) ? Number(text) : Date.parse(text) / 1000;
      if (Number.isSafeInteger(seconds) && seconds >= 0) return seconds;
      context.addIssue('must be seconds since 1970, or a date like 2026-01-31T00:00:00Z');
      return z.NEVER;
    })
    .optional(),
});
export type Recipe = z.output<typeof recipeSchema>;
export type RecipeFile = Recipe['files'][number];

/** A recipe is written by hand: one that is larger than this is something else. */
const longest = 4 << 20;

/**
 * Reads a recipe (docs/edit-and-build.md). `file` names it in messages. Throws `recipe-invalid` with the file, the line and the column of
 * the first thing that is wrong.
 */
export function parseRecipe(text: string, file: string): Recipe {
  if (text.length > longest)
    throw new ImprintError('recipe-invalid', { place: file, problem: 'it is too long for a recipe' });
  const yaml = readYaml(text, file, 'recipes', (problem) => new ImprintError('recipe-invalid', { ...problem }));
  const parsed = recipeSchema.safeParse(yaml.value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const nothing = { place: file, problem: 'it is not a recipe' };
    throw new ImprintError('recipe-invalid', {
      ...(issue === undefined ? nothing : schemaProblem(yaml, issue, 'a recipe')),
    });
  }
  try {
    parseExcludes(parsed.data.excludes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ImprintError('recipe-invalid', { place: yaml.at(['excludes']), problem: error.message });
  }
  return parsed.data;
}
