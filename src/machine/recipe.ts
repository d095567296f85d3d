import { type Document, isMap, LineCounter, parseDocument, visit } from 'yaml';
import { z } from 'zod';
import { imageNameSchema, tagSchema } from '../contract/image.ts';
import { ImprintError } from '../foundation/errors.ts';
import { parseExcludes } from './exclude.ts';

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
export type RecipeScript = Recipe['scripts'][number];

/** A recipe is written by hand: one that is larger than this is something else. */
const longest = 4 << 20;

/**
 * Reads a recipe (docs/edit-and-build.md). `file` names it in messages. Throws `recipe-invalid` with the file, the line and the column of
 * the first thing that is wrong.
 */
export function parseRecipe(text: string, file: string): Recipe {
  if (text.length > longest)
    throw new ImprintError('recipe-invalid', { place: file, problem: 'it is too long for a recipe' });
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: 'failsafe',
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
    uniqueKeys: true,
  });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [mistake] = document.errors;
  if (mistake !== undefined) {
    throw new ImprintError('recipe-invalid', {
      place: at(mistake.pos[0]),
      problem: mistake.message.split('\n')[0] ?? '',
    });
  }
  refuseAliases(document, at);
  const parsed = recipeSchema.safeParse(document.toJS() ?? {});
  if (!parsed.success) throw invalid(parsed.error, document, at);
  try {
    parseExcludes(parsed.data.excludes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ImprintError('recipe-invalid', { place: at(offsetOf(document, ['excludes'])), problem: error.message });
  }
  return parsed.data;
}

/** Anchors and merges can make a page of a line, and a gigabyte of a page; no recipe needs them. */
function refuseAliases(document: Document, at: (offset: number) => string): void {
  visit(document, {
    Alias: (_, { range }) => {
      throw new ImprintError('recipe-invalid', {
        place: at(range?.[0] ?? 0),
        problem: 'aliases (*name) are not for recipes',
      });
    },
  });
}

function invalid(
  error: z.ZodError,
  document: Document,
  at: (offset: number) => string,
): ImprintError<'recipe-invalid'> {
  const [issue] = error.issues;
  if (issue === undefined) return new ImprintError('recipe-invalid', { place: at(0), problem: 'it is not a recipe' });
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const name = path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join('');
  const missing = issue.code === 'invalid_type' && document.getIn(path) === undefined;
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const problem = `there is no “${key}”${name === '' ? ' in a recipe' : ` in ${name}`}`;
    return new ImprintError('recipe-invalid', { place: at(keyOffset(document, path, key)), problem });
  }
  const problem = missing ? `${name} is missing` : `${name === '' ? 'a recipe' : name} ${wordsOf(issue)}`;
  return new ImprintError('recipe-invalid', {
    place: at(offsetOf(document, missing ? path.slice(0, -1) : path)),
    problem,
  });
}

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_type') return issue.message.replace(/^Invalid option: expected /, 'must be ');
  return issue.expected === 'array'
    ? 'must be a list'
    : issue.expected === 'object'
      ? 'must be a mapping'
      : 'must be text';
}

/** Where the value at a path begins; where there is none, the value around it. */
function offsetOf(document: Document, path: readonly (string | number)[]): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
    if (range) return range[0];
  }
  return 0;
}

function keyOffset(document: Document, path: readonly (string | number)[], key: string): number {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  if (isMap(map)) {
    const pair = map.items.find((item) => String(item.key) === key);
    const range = (pair?.key as { range?: [number, number, number] | null } | undefined)?.range;
    if (range) return range[0];
  }
  return offsetOf(document, path);
}
