import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { BuildInput } from '../../contract/operations/builds.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { parseRecipe, type Recipe } from '../../machine/recipe.ts';

/** A recipe with all that lies beside it and must be there before anything is made. */
export interface ReadRecipe {
  recipe: Recipe;
  /** Text of its scripts, each with the program that runs it in its first line. */
  scripts: string[];
  /** Where it lies: sources are found from there. */
  directory: string;
}

/** The environment takes a script no longer than this. */
const longestScript = 120_000;

/** Reads a recipe and its scripts. A name that was mistyped shows here, at once. Errors: `recipe-invalid`. */
export async function readRecipe({ recipe: path, tag, message }: BuildInput): Promise<ReadRecipe> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ImprintError('recipe-invalid', {
      place: path,
      problem: error.code === 'ENOENT' ? 'it is not there' : error.message,
    });
  });
  const written = parseRecipe(text, path);
  const recipe: Recipe = {
    ...written,
    ...(tag === undefined ? {} : { tag }),
    ...(message === undefined ? {} : { message }),
  };
  const directory = dirname(resolve(path));
  const scripts = await Promise.all(
    recipe.scripts.map(async (script, index) => {
      const lines = typeof script === 'string' ? script : await readScript(directory, script.file);
      if (Buffer.byteLength(lines) > longestScript) {
        throw new ImprintError('recipe-invalid', {
          place: `${path}: scripts[${index}]`,
          problem: 'it is longer than 120,000 bytes; lay it down as a file',
        });
      }
      return lines.startsWith('#!') ? lines : `#!/bin/sh\nset -e\n${lines}`;
    }),
  );
  return { recipe, scripts, directory };
}

async function readScript(directory: string, file: string): Promise<string> {
  return readFile(resolve(directory, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ImprintError('recipe-invalid', {
      place: file,
      problem: error.code === 'ENOENT' ? 'it is not there' : error.message,
    });
  });
}
