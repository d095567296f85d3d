import { type Layout, layoutSchema, wordsAt } from '../contract/layout.ts';
import { ImprintError } from '../foundation/errors.ts';
import { layoutProblems } from './layout-problems.ts';
import { readYaml, schemaProblem, type YamlProblem } from './yaml-text.ts';

/** A layout is written by hand: one that is longer than this is something else. */
const longest = 1 << 20;

/**
 * Everything that is wrong with the text of a layout, in its order; a layout where nothing is. `file` names it in places. Throws
 * `layout-invalid` where it is no YAML at all.
 */
export function examineLayout(text: string, file: string): { layout?: Layout; problems: YamlProblem[] } {
  if (text.length > longest) throw invalid({ place: file, problem: 'it is too long for a layout' });
  const yaml = readYaml(text, file, 'layouts', invalid);
  const parsed = layoutSchema.safeParse(yaml.value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => schemaProblem(yaml, issue, 'a layout', wordsAt));
    return { problems };
  }
  const found = layoutProblems(parsed.data).map(({ path, problem }) => ({ place: yaml.at(path), problem }));
  const problems = found.sort((left, right) => lineOf(left) - lineOf(right));
  return problems.length > 0 ? { problems } : { layout: parsed.data, problems };
}

/** Reads a layout (docs/layouts.md). Throws `layout-invalid` with the file, the line and the column of the first thing that is wrong. */
export function parseLayout(text: string, file: string): Layout {
  const { layout, problems } = examineLayout(text, file);
  const [first, ...more] = problems;
  if (layout !== undefined) return layout;
  const problem = first ?? { place: file, problem: 'it is not a layout' };
  throw invalid(more.length === 0 ? problem : { ...problem, problem: `${problem.problem} (and ${more.length} more)` });
}

function invalid({ place, problem }: YamlProblem): ImprintError<'layout-invalid'> {
  return new ImprintError('layout-invalid', { place, problem });
}

function lineOf({ place }: YamlProblem): number {
  return Number(/:(\d+):\d+$/.exec(place)?.[1] ?? 0);
}
