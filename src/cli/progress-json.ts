import type { TaskEvent } from '../foundation/task.ts';
import type { Terminal } from './terminal.ts';

/** Task events as NDJSON (`taskEventSchema` of the contract), one a line; with `quiet`, warnings and failures only. */
export class ProgressJson {
  readonly #terminal: Terminal;
  readonly #quiet: boolean;

  constructor(terminal: Terminal, quiet: boolean) {
    this.#terminal = terminal;
    this.#quiet = quiet;
  }

  show(event: TaskEvent): void {
    if (this.#quiet && event.kind !== 'warning' && event.kind !== 'failed') return;
    this.#terminal.write(`${JSON.stringify(event)}\n`);
  }

  close(): void {}
}
