import { errorCatalogue } from '../foundation/error-catalogue.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Terminal } from './terminal.ts';
import { wrapText } from './text-width.ts';

export interface ErrorReportOptions {
  json: boolean;
  debug: boolean;
}

/**
 * Tells an error: what failed, and below it what to do next. With `json` one line `{"error": …}` (`errorValueSchema`).
 * With `debug` also every cause down to the first, each with its stack. Returns the exit status.
 */
export function reportError(terminal: Terminal, thrown: unknown, options: ErrorReportOptions): number {
  const error = toImprintError(thrown);
  if (options.json) {
    const causes = options.debug ? { causes: causesOf(error).map(describe) } : {};
    terminal.write(`${JSON.stringify({ error: { ...error.toValue(), ...causes } })}\n`);
    return error.exitStatus;
  }
  const { paint, plain } = terminal;
  // A command line's own "interrupted" needs no words beyond one.
  const width = terminal.interactive ? Math.min(terminal.columns, 110) : Number.POSITIVE_INFINITY;
  const [first = '', ...others] = wrapText(error.message, width - 9);
  const message = [
    `${paint('red', paint('bold', 'imprint:'))} ${paint('bold', first)}`,
    ...others.map((line) => `         ${paint('bold', line)}`),
  ];
  const hint = error.hint === '' || error.hint.startsWith('{') ? [] : wrapText(error.hint, width - 11);
  const hints = hint.map((line, index) => (index === 0 ? `${paint('cyan', '       → ')}${line}` : `         ${line}`));
  const debug = options.debug ? causesOf(error).flatMap((cause) => describe(cause).split('\n')) : [];
  const known = options.debug ? [`code ${error.code}, exit status ${errorCatalogue[error.code].exit}`] : [];
  const lines = [...message, ...hints, ...[...known, ...debug].map((line) => paint('dim', `  ${line}`))];
  terminal.write(lines.map((line) => `${plain(line)}\n`).join(''));
  return error.exitStatus;
}

/** The error and what caused it, outermost first. */
function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let next = error; next !== undefined && next !== null && causes.length < 10; ) {
    causes.push(next);
    next = next instanceof Error ? next.cause : undefined;
  }
  return causes;
}

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const stack = cause.stack ?? `${cause.name}: ${cause.message}`;
  if (!(cause instanceof ImprintError)) return stack;
  const details = Object.entries(cause.details).map(([name, value]) => `    ${name}: ${value}`);
  return [stack, ...details].join('\n');
}
