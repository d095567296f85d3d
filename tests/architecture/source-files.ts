import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';

/** The checkout. */
export const root = resolve(import.meta.dirname, '../..');

export interface Import {
  /** As it is written: `./entry.ts`, `node:fs`, `zod`. */
  specifier: string;
  /** Path of the file that it names, from the checkout; undefined for packages. */
  target: string | undefined;
  /** Vanishes when types are stripped. */
  typeOnly: boolean;
  line: number;
}

/** TypeScript sources below `directory`, as paths from the checkout, sorted. */
export function sourceFiles(directory: string): string[] {
  return globSync(`${directory}/**/*.ts`, { cwd: root })
    .filter((path) => !path.endsWith('.test.ts'))
    .sort();
}

/**
 * The import and export-from statements and `import()` calls of a source. Reads the text (TypeScript 7 has no compiler
 * API): our formatter writes every statement in one of a few forms, and a comment or string is not mistaken for one,
 * since statements start their line.
 */
export function importsOf(path: string): Import[] {
  const text = readFileSync(join(root, path), 'utf8');
  const found: Import[] = [];
  const patterns = [
    /^(?:import|export)(\s+type)?\s+(?:[\w*{][^;'"]*?\s+from\s+)?'([^']+)'/gm,
    /^[^/\n]*?\bimport(\s+type)?\(\s*'([^']+)'\s*\)/gm,
  ];
  for (const pattern of patterns) {
    for (const match of text.matchAll(pattern)) {
      const [statement, type, specifier = ''] = match;
      const names = /\{([^}]*)\}/.exec(statement)?.[1];
      const onlyTypes =
        names !== undefined &&
        /^[^{]*\{/.test(statement) &&
        names.split(',').every((name) => /^\s*(type\s|$)/.test(name)) &&
        !/^\w+\s+\w+\s*,/.test(statement);
      found.push({
        specifier,
        target: specifier.startsWith('.') ? posix.normalize(posix.join(dirname(path), specifier)) : undefined,
        typeOnly: type !== undefined || onlyTypes,
        line: text.slice(0, match.index).split('\n').length,
      });
    }
  }
  return found;
}
