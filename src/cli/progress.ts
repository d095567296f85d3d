import type { Clock } from '../foundation/clock.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { ProgressBars } from './progress-bars.ts';
import { ProgressJson } from './progress-json.ts';
import { ProgressLines } from './progress-lines.ts';
import type { Terminal } from './terminal.ts';

/** Shows the events of tasks while they run. */
export interface ProgressRenderer {
  show(event: TaskEvent): void;
  /** Ends the showing and leaves the terminal as it was found. May be called more than once. */
  close(): void;
}

export interface ProgressOptions {
  json: boolean;
  quiet: boolean;
  clock: Clock;
  /** Says what an error was where a task failed: for `watch`; a command's own error is told at its end. */
  errors?: boolean;
}

/** The renderer that fits: NDJSON where JSON is wanted, bars on a terminal, lines in a pipe. */
export function openProgress(terminal: Terminal, options: ProgressOptions): ProgressRenderer {
  if (options.json) return new ProgressJson(terminal, options.quiet);
  if (options.quiet || !terminal.interactive) return new ProgressLines(terminal, options);
  return new ProgressBars(terminal, options);
}
