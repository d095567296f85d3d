import { type Document, isMap, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { didYouMean } from './nearest-word.ts';

/** A file that people write, parsed: every scalar is text, and each value knows where it stands. */
export interface YamlText {
  readonly value: unknown;
  /** `file:line:column` where the value at a path begins; where there is none, that of the value around it. */
  at(path: YamlPath): string;
  /** The same of a key. */
  atKey(path: YamlPath, key: string): string;
  /** Whether there is a value at the path. */
  has(path: YamlPath): boolean;
}

export type YamlPath = readonly (string | number)[];

/** What is wrong, and where: `layout.yaml:12:5`. */
export interface YamlProblem {
  place: string;
  problem: string;
}

/**
 * Reads YAML in its failsafe schema: `0644`, `no` and `1.10` stay what they are. Aliases are refused: anchors and merges can make a
 * page of a line, and a gigabyte of a page. The first thing that is no YAML is thrown as `refuse` makes it.
 *
 * @param noun what the file is, in the plural: `recipes`
 */
export function readYaml(text: string, file: string, noun: string, refuse: (problem: YamlProblem) => Error): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: 'failsafe',
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
    uniqueKeys: true,
  });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const [mistake] = document.errors;
  if (mistake !== undefined) {
    throw refuse({ place: place(mistake.pos[0]), problem: mistake.message.split('\n')[0] ?? '' });
  }
  visit(document, {
    Alias: (_, { range }) => {
      throw refuse({ place: place(range?.[0] ?? 0), problem: `aliases (*name) are not for ${noun}` });
    },
  });
  return {
    value: document.toJS() ?? {},
    at: (path) => place(offsetOf(document, path)),
    atKey: (path, key) => place(keyOffset(document, path, key)),
    has: (path) => document.getIn(path) !== undefined,
  };
}

/**
 * What a schema's issue says of a file, with its place.
 *
 * @param whole what the file is: `a recipe`
 * @param wordsAt the keys that there are at a path, for a hint at the one that was meant
 */
export function schemaProblem(
  yaml: YamlText,
  issue: z.core.$ZodIssue,
  whole: string,
  wordsAt?: (path: YamlPath) => readonly string[],
): YamlProblem {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  const name = pathName(path);
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    const meant = wordsAt === undefined ? '' : didYouMean(key, wordsAt(path));
    return {
      place: yaml.atKey(path, key),
      problem: `there is no “${key}” in ${name === '' ? whole : name}${meant}`,
    };
  }
  const missing = issue.code === 'invalid_type' && !yaml.has(path);
  return {
    place: yaml.at(missing ? path.slice(0, -1) : path),
    problem: missing ? `${name} is missing` : `${name === '' ? whole : name} ${wordsOf(issue)}`,
  };
}

/** `disks[0].partitions[2]`. */
function pathName(path: YamlPath): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code !== 'invalid_type') return issue.message;
  return issue.expected === 'array'
    ? 'must be a list'
    : issue.expected === 'object'
      ? 'must be a mapping'
      : 'must be text';
}

function offsetOf(document: Document, path: YamlPath): number {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
    if (range) return range[0];
  }
  return 0;
}

function keyOffset(document: Document, path: YamlPath, key: string): number {
  const map = path.length === 0 ? document.contents : document.getIn(path, true);
  if (isMap(map)) {
    const pair = map.items.find((item) => String(item.key) === key);
    const range = (pair?.key as { range?: [number, number, number] | null } | undefined)?.range;
    if (range) return range[0];
  }
  return offsetOf(document, path);
}
