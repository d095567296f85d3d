import { type ImageDiff, imageDiff, type ListedChange } from '../../contract/operations/comparisons.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { isPackageState } from '../../machine/packages/package-database.ts';
import { diffVersions } from '../../operations/diff-versions.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import type { Style, Terminal } from '../terminal.ts';
import { modeText } from './image-ls.ts';

/** `imprint image diff FROM [TO]`: packages first, then the paths that no changed package explains. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const to = invocation.optionalArgument(1);
  const path = invocation.text('path');
  const input = parseInput(imageDiff.input, {
    from: invocation.argument(0),
    ...(to === undefined ? {} : { to }),
    ...(path === undefined ? {} : { path }),
    times: invocation.flag('times'),
  });
  const context = await session.context();
  const all = invocation.flag('all');
  const diff = await session.task('compare', (task) => diffVersions(context, input, task));
  session.result(diff, () => describe(diff, all, session.stdout));
}

function describe(diff: ImageDiff, all: boolean, terminal: Terminal): string {
  const { packages, changes, onlyTimes, from, to } = diff;
  const parts = [`${terminal.paint('bold', from.reference)} → ${terminal.paint('bold', to.reference)}\n`];
  const changed = new Set(packages.map(({ id }) => id));
  const explained = (change: ListedChange) =>
    (change.package !== undefined && changed.has(change.package)) || isPackageState(change.path);
  const shown = all ? changes : changes.filter((change) => !explained(change));
  if (packages.length > 0)
    parts.push(`\n${section('Packages', terminal)}${packages.map(packageLine(terminal)).join('')}`);
  if (shown.length > 0) {
    const title = all || packages.length === 0 ? 'Paths' : 'Paths beside those of changed packages';
    parts.push(`\n${section(title, terminal)}${shown.map((change) => pathLine(change, terminal)).join('')}`);
  }
  const hidden = changes.length - shown.length;
  const notes = [
    changes.length === 0 && packages.length === 0 ? 'No difference in content or attributes.' : undefined,
    hidden > 0 ? `${count(hidden)} more paths belong to these packages (--all lists them).` : undefined,
    onlyTimes > 0
      ? `${count(onlyTimes)} ${onlyTimes === 1 ? 'path differs' : 'paths differ'} in modification time alone (--times lists them).`
      : undefined,
    totals(changes),
  ].filter((note) => note !== undefined);
  if (notes.length > 0) parts.push(`\n${notes.map((note) => `${terminal.paint('dim', note)}\n`).join('')}`);
  return parts.join('');
}

function section(title: string, terminal: Terminal): string {
  return `${terminal.paint('bold', title)}\n`;
}

function packageLine(terminal: Terminal) {
  return ({ id, before, after, paths }: ImageDiff['packages'][number]): string => {
    const amount = paths > 0 ? terminal.paint('dim', `  (${count(paths)} path${paths === 1 ? '' : 's'})`) : '';
    if (before === undefined) return `  ${terminal.paint('green', '+')} ${id} ${after}${amount}\n`;
    if (after === undefined) return `  ${terminal.paint('red', '-')} ${id} ${before}${amount}\n`;
    return `  ${terminal.paint('yellow', '~')} ${id} ${before} → ${after}${amount}\n`;
  };
}

const marks: Record<ListedChange['kind'], readonly [string, Style]> = {
  added: ['A', 'green'],
  removed: ['D', 'red'],
  changed: ['M', 'yellow'],
  moved: ['R', 'cyan'],
};

/** As `git diff --name-status`, with what changed behind the name. */
function pathLine(change: ListedChange, terminal: Terminal): string {
  const [mark, style] = marks[change.kind];
  const name = change.from === undefined ? change.path : `${change.from} → ${change.path}`;
  const slash = change.type === 'directory' && change.path !== '.' ? '/' : '';
  const owner = change.package === undefined ? '' : terminal.paint('dim', `  [${change.package}]`);
  const words = changeWords(change);
  return `  ${terminal.paint(style, mark)} ${name}${slash}${words === '' ? '' : `  ${terminal.paint('dim', words)}`}${owner}\n`;
}

function changeWords({ attributes, kind, sizeBefore, sizeAfter }: ListedChange): string {
  if (kind === 'added') return sizeAfter === undefined ? '' : formatBytes(sizeAfter);
  if (kind === 'removed') return '';
  const names = new Set(attributes.map(({ attribute }) => attribute));
  return attributes
    .filter(({ attribute }) => attribute !== 'mtime' || names.size === 1)
    .filter(({ attribute }) => attribute !== 'size')
    .map(({ attribute, before, after }) => {
      if (attribute === 'content') return `content ${sizeWords(sizeBefore, sizeAfter)}`;
      if (attribute === 'mode') return `mode ${modeText(before)} → ${modeText(after)}`;
      return `${attribute} ${before} → ${after}`;
    })
    .join(', ');
}

function sizeWords(before = 0, after = 0): string {
  if (before === after) return `(${formatBytes(after)})`;
  return `(${formatBytes(before)} → ${formatBytes(after)})`;
}

function totals(changes: readonly ListedChange[]): string | undefined {
  if (changes.length === 0) return undefined;
  const words: [ListedChange['kind'], string][] = [
    ['added', 'added'],
    ['removed', 'removed'],
    ['changed', 'changed'],
    ['moved', 'moved'],
  ];
  const parts = words
    .map(([kind, word]) => [changes.filter((change) => change.kind === kind).length, word] as const)
    .filter(([amount]) => amount > 0)
    .map(([amount, word]) => `${count(amount)} ${word}`);
  return `${parts.join(', ')}.`;
}

function count(value: number): string {
  return value.toLocaleString('en-GB');
}
