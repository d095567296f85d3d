import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const variable = 'IMPRINT_MATRIX_TABLE';

/** How one case of a row ended. */
export interface CaseRecord {
  readonly row: string;
  readonly name: string;
  seconds(): number;
  readonly outcome: string;
}

/** Notes a case for the table, from whichever process it ran in. */
export function record({ row, name, seconds, outcome }: CaseRecord): void {
  appendFileSync(file(), `${JSON.stringify([row, name, seconds(), outcome])}\n`);
}

/** Vitest's own: before the first test of the project and after the last. Each run has a table of its own; its workers get their environment after this. */
export function setup(): void {
  process.env[variable] = join(tmpdir(), `imprint-matrix-${process.pid}.jsonl`);
  rmSync(file(), { force: true });
}

/** Prints all cases: row by row, each with its time and what came of it. */
export function teardown(): void {
  let lines: [string, string, number, string][];
  try {
    lines = readFileSync(file(), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  } catch {
    return;
  }
  rmSync(file(), { force: true });
  for (const row of [...new Set(lines.map(([title]) => title))].sort()) {
    console.log(`\n${row}`);
    for (const [, name, seconds, outcome] of lines.filter(([title]) => title === row)) {
      console.log(`  ${seconds.toFixed(0).padStart(4)} s  ${name.padEnd(64)} ${outcome}`);
    }
  }
}

function file(): string {
  return process.env[variable] ?? join(tmpdir(), 'imprint-matrix.jsonl');
}
