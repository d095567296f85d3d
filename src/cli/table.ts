import { cutText, padText, textWidth } from './text-width.ts';

export interface Column {
  title: string;
  align?: 'left' | 'right';
  /** The column that gives way where the window is too narrow. */
  shrink?: boolean;
}

export interface TableOptions {
  /** Cells that a line may take; undefined: as many as it wants (a pipe). */
  width?: number | undefined;
  /** Paints the head line. */
  head?: (text: string) => string;
  mark?: string;
}

/**
 * Rows below a head line, columns aligned and two blanks apart. No trailing blanks, so that output compares well.
 * Cells may carry colours.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const widths = columns.map((column, index) =>
    Math.max(textWidth(column.title), ...rows.map((row) => textWidth(row[index] ?? ''))),
  );
  shrink(columns, widths, options.width);
  const line = (cells: readonly string[]) =>
    columns
      .map((column, index) => {
        const width = widths[index] ?? 0;
        const cell = cutText(cells[index] ?? '', width, options.mark);
        return padText(cell, width, column.align === 'right' ? 'right' : 'left');
      })
      .join('  ')
      .trimEnd();
  const head = line(columns.map((column) => column.title));
  return [options.head ? options.head(head) : head, ...rows.map(line)].map((text) => `${text}\n`).join('');
}

function shrink(columns: readonly Column[], widths: number[], width: number | undefined): void {
  if (width === undefined) return;
  const wanted = widths.reduce((sum, each) => sum + each + 2, -2);
  const index = columns.findIndex((column) => column.shrink);
  if (wanted <= width || index < 0) return;
  const present = widths[index] ?? 0;
  widths[index] = Math.min(present, Math.max(8, present - (wanted - width)));
}
