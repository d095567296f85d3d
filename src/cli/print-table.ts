import { type Column, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

/** A table for a terminal: as wide as the window, or in a pipe as wide as it wants. */
export function printTable(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  return renderTable(columns, rows, {
    width: terminal.interactive ? terminal.columns : undefined,
    head: (text) => terminal.paint('dim', text),
    mark: terminal.unicode ? '…' : '...',
  });
}

/** Names and values below each other, as `systemctl status` and `docker inspect` taught. Values that are empty are left out. */
export function printFields(
  terminal: Terminal,
  fields: readonly (readonly [name: string, value: string | undefined])[],
): string {
  const shown = fields.filter(([, value]) => value !== undefined && value !== '');
  const width = Math.max(...shown.map(([name]) => name.length));
  return shown
    .map(([name, value = '']) => {
      const [first = '', ...rest] = value.split('\n');
      const lines = [`${terminal.paint('dim', name.padStart(width))}  ${first}`];
      return [...lines, ...rest.map((line) => `${' '.repeat(width)}  ${line}`)].map((line) => `${line}\n`).join('');
    })
    .join('');
}
