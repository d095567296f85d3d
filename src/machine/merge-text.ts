import { diffArrays } from 'diff';

/** What a merge gave: the text, or that both sides changed the same place. */
export type Merged = { text: string } | { conflict: string };

/** A change to a text of lines: those from `from` up to `to` become `lines`. */
interface Hunk {
  from: number;
  to: number;
  lines: string[];
}

/** Beyond these nothing is merged: configuration is smaller, and comparing takes the square of the differences. */
const longestText = 1 << 20;
const mostEdits = 4000;

/**
 * Merges what a machine wrote into a file (`local`) with what its version changed in it (`after`), both from `before`: line by line; changes that
 * meet or touch are a conflict, unless they are the same. Texts as latin1, so that any bytes come through. Tables of accounts (`passwd` and its like) are
 * merged name by name, because both sides add at the end.
 */
export function mergeConfiguration(path: string, before: string, local: string, after: string): Merged {
  for (const text of [before, local, after]) {
    if (text.includes('\0')) return { conflict: 'it is not text' };
    if (text.length > longestText) return { conflict: 'it is too long to be compared' };
  }
  if (local === before) return { text: after };
  if (after === before || after === local) return { text: local };
  return accountTables.has(path) ? mergeByName(before, local, after) : mergeLines(before, local, after);
}

const accountTables = new Set(
  ['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'].flatMap((name) => [`etc/${name}`, `etc/${name}-`]),
);

function mergeLines(before: string, local: string, after: string): Merged {
  const base = linesOf(before);
  const ours = hunksOf(base, linesOf(local));
  const theirs = hunksOf(base, linesOf(after));
  if (ours === undefined || theirs === undefined) return { conflict: 'too much is different' };
  const merged: string[] = [];
  let at = 0;
  while (ours.length > 0 || theirs.length > 0) {
    const [one, other] = [ours[0], theirs[0]];
    const mine = other === undefined || (one !== undefined && one.from <= other.from);
    const next = (mine ? one : other) as Hunk;
    if (one !== undefined && other !== undefined && one.from <= other.to && other.from <= one.to) {
      if (!sameHunk(one, other)) return { conflict: `both changed line ${next.from + 1}` };
      theirs.shift();
      ours.shift();
    } else (mine ? ours : theirs).shift();
    merged.push(...base.slice(at, next.from), ...next.lines);
    at = next.to;
  }
  merged.push(...base.slice(at));
  return { text: merged.join('') };
}

/** Lines with their ends, so that a missing one at the end of a text is a difference like others. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function hunksOf(before: string[], after: string[]): Hunk[] | undefined {
  const changes = diffArrays(before, after, { maxEditLength: mostEdits });
  if (changes === undefined) return undefined;
  const hunks: Hunk[] = [];
  let at = 0;
  let open: Hunk | undefined;
  for (const { added, removed, value } of changes) {
    if (!added && !removed) {
      at += value.length;
      open = undefined;
      continue;
    }
    if (open === undefined) {
      open = { from: at, to: at, lines: [] };
      hunks.push(open);
    }
    if (added) open.lines.push(...value);
    else {
      at += value.length;
      open.to = at;
    }
  }
  return hunks;
}

function sameHunk(one: Hunk, other: Hunk): boolean {
  return one.from === other.from && one.to === other.to && one.lines.join('') === other.lines.join('');
}

/** Each line belongs to the name before its first colon. What one side changed it keeps; what is new comes at the end, the machine's own first. */
function mergeByName(before: string, local: string, after: string): Merged {
  const [base, ours, theirs] = [byName(before), byName(local), byName(after)];
  if (base === undefined || ours === undefined || theirs === undefined) return { conflict: 'a name is in it twice' };
  const merged: string[] = [];
  for (const name of new Set([...base.keys(), ...ours.keys(), ...theirs.keys()])) {
    const [old, mine, other] = [base.get(name), ours.get(name), theirs.get(name)];
    if (mine !== other && mine !== old && other !== old) return { conflict: `both changed ${name}` };
    const line = mine === old ? other : mine;
    if (line !== undefined) merged.push(line);
  }
  return { text: merged.map((line) => `${line}\n`).join('') };
}

function byName(text: string): Map<string, string> | undefined {
  const lines = text.split('\n').filter((line) => line !== '');
  const found = new Map(lines.map((line) => [line.split(':', 1)[0] ?? '', line]));
  return found.size === lines.length ? found : undefined;
}
