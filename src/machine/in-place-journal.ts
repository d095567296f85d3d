import type { RawPath } from '../foundation/brand.ts';

/** Where a root file system keeps its in-place updates (relative to its root): a directory for each, by its id. */
export const inPlaceDirectory = '.imprint/in-place';

/** Names in the directory of an in-place update (docs/update.md). */
export const inPlaceNames = {
  journal: 'journal',
  state: 'state',
  /** Trees of what differs, as the new and as the old version have it; files are hard links of what stands in the root. */
  new: 'new',
  old: 'old',
  /** Names on their way into place. */
  temporary: 'tmp',
  /** Room for the way back, or forth, where the disk is full by then: removed when it does not go without. */
  reserve: 'reserve',
  /** For people and for the next update: what it is, in JSON. */
  plan: 'plan.json',
} as const;

/** What the root is: as before, as after, or between the two. Anything else that `state` says is taken as between. */
export type InPlaceState = 'old' | 'new' | 'redoing' | 'undoing';

/** Which of the two an entry of the boot menu wants: `imprint.journal=redo:ID` the new one, `undo:ID` the old one. */
export type InPlaceDirection = 'redo' | 'undo';

/** What an in-place update changes: all names, but not how; that is in the trees `new` and `old`. */
export interface InPlaceJournal {
  id: string;
  /** What is no directory in one tree at least; in order. */
  files: RawPath[];
  /** What is a directory in one tree at least, but the root; in order. */
  directories: RawPath[];
}

const idPattern = /^[a-z0-9-]{1,40}$/;
const head = 'imprint in-place 1';

/** Whether a text may be the id of an in-place update: at most 40 of `a-z 0-9 -`. */
export function isInPlaceId(text: string): boolean {
  return idPattern.test(text);
}

/** The journal as lines of ASCII that a POSIX shell can read: see docs/update.md. */
export function renderJournal({ id, files, directories }: InPlaceJournal): string {
  const lines = [
    ...files.map((path) => `f ${encodePath(path)}`),
    // The innermost first, for that is how they are removed.
    ...directories.toReversed().map((path) => `d ${encodePath(path)}`),
  ];
  return `${[head, `id ${id}`, ...lines, `end ${lines.length}`].join('\n')}\n`;
}

/** A journal from its text; undefined where it is not whole, or names a path outside of the root. */
export function parseJournal(text: string): InPlaceJournal | undefined {
  const lines = text.split('\n');
  const id = /^id (.*)$/.exec(lines[1] ?? '')?.[1];
  if (lines[0] !== head || id === undefined || !isInPlaceId(id)) return undefined;
  const body = lines.slice(2, -2);
  if (lines.length < 4 || lines.at(-1) !== '' || lines.at(-2) !== `end ${body.length}`) return undefined;
  const journal: InPlaceJournal = { id, files: [], directories: [] };
  for (const line of body) {
    const path = decodePath(line.slice(2));
    if (path === undefined) return undefined;
    if (line.startsWith('f ')) journal.files.push(path);
    else if (line.startsWith('d ')) journal.directories.push(path);
    else return undefined;
  }
  journal.directories.reverse();
  return journal;
}

/** A state from what the file `state` holds; undefined where it says nothing that is known. */
export function parseState(text: string): InPlaceState | undefined {
  const word = text.replace(/\n$/, '');
  return word === 'old' || word === 'new' || word === 'redoing' || word === 'undoing' ? word : undefined;
}

/** The word of the kernel command line by which an entry says what it wants. */
export function journalArgument(direction: InPlaceDirection, id: string): string {
  return `imprint.journal=${direction}:${id}`;
}

/** What an entry wants of its root; undefined where it has no such word, or one that makes no sense. */
export function journalOfEntry(
  kernelOptions: readonly string[],
): { direction: InPlaceDirection; id: string } | undefined {
  const [, direction, id] =
    kernelOptions.map((option) => wordPattern.exec(option)).findLast((match) => match !== null) ?? [];
  if (id === undefined || !isInPlaceId(id)) return undefined;
  return { direction: direction === 'redo' ? 'redo' : 'undo', id };
}

const wordPattern = /^imprint\.journal=(redo|undo):(.*)$/;

/** A path relative to the root: bytes but letters, digits and `/._+,:=@%~-` as `\0` and three octal digits (`printf %b`). */
export function encodePath(path: RawPath): string {
  return path.replaceAll(/[^A-Za-z0-9/._+,:=@%~-]/g, (unit) => `\\0${unit.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

/** A path again from what `encodePath` made; undefined for what it never makes: empty, absolute, with `..`, `.` or a NUL. */
export function decodePath(text: string): RawPath | undefined {
  if (!/^(?:[A-Za-z0-9/._+,:=@%~-]|\\0[0-3][0-7]{2})+$/.test(text)) return undefined;
  const path = text.replaceAll(/\\0([0-3][0-7]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
  const names = path.split('/');
  if (path.includes('\0') || names.some((name) => name === '' || name === '.' || name === '..')) return undefined;
  return path as RawPath;
}
