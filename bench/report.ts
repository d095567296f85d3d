import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import type { Measured } from './workshop.ts';

export type Unit = 's CPU' | 's' | 'ms CPU' | 'MB' | 'MiB' | '';

/** One line of the table of what is to be reached. `limit` is what the value must not exceed; none: only shown. */
export interface Goal {
  name: string;
  own: number;
  limit?: number;
  unit: Unit;
  /** What it is held against, in words and figures. */
  against: string;
}

/** One command as it was measured. */
export interface Line {
  name: string;
  measured: Measured;
  /** Bytes that it wrote, where that is the question. */
  output?: number;
  /** How many runs `measured` is the median of. */
  runs?: number;
}

export interface Report {
  goals: Goal[];
  lines: Line[];
}

const begin = '<!-- bench: begin -->';
const end = '<!-- bench: end -->';

/** The tables as Markdown. */
export function formatReport({ goals, lines }: Report, heading: string): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const goalLines = goals.map(({ name, own, limit, unit, against }) => {
    const reached = limit === undefined ? '' : own <= limit ? 'yes' : '**no**';
    const most = limit === undefined ? '' : `${formatNumber(limit)} ${unit}`;
    return `| ${cell(name)} | ${formatNumber(own)} ${unit} | ${most} | ${reached} | ${cell(against)} |`;
  });
  const commandLines = lines.map(({ name, measured, output, runs = 1 }) => {
    const median = runs > 1 ? ` (median of ${runs})` : '';
    const bytes = output === undefined ? '' : `${formatNumber(output / 1e6)} MB`;
    return `| ${cell(name)}${median} | ${formatNumber(measured.cpu)} s | ${formatNumber(measured.wall)} s | ${measured.memory.toFixed(0)} MiB | ${bytes} |`;
  });
  return [
    heading,
    '',
    '| | Imprint | to reach | reached | held against |',
    '|---|---|---|---|---|',
    ...goalLines,
    '',
    '| command | CPU | wall | peak memory | output |',
    '|---|---|---|---|---|',
    ...commandLines,
    '',
  ].join('\n');
}

/** Three digits that matter. */
export function formatNumber(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** The kind of machine in words, and nothing that tells whose it is. */
export function describeMachine(): string {
  return `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}

/** Names and versions of Debian packages, as installed. */
export function describePackages(names: readonly string[]): string {
  try {
    return execFileSync('dpkg-query', ['-W', '-f', ['$', '{Package} $', '{Version}, '].join(''), ...names], {
      encoding: 'utf8',
    }).replace(/, $/, '');
  } catch {
    return names.join(', ');
  }
}

/** Puts the tables between the marks of a page. */
export function writeReport(page: string, report: string): void {
  const text = existsSync(page) ? readFileSync(page, 'utf8') : `${begin}\n${end}\n`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${page} has no place for the table (${begin} … ${end})`);
  writeFileSync(page, `${text.slice(0, from + begin.length)}\n${report}${text.slice(to)}`);
}
