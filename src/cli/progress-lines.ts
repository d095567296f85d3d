import type { Clock } from '../foundation/clock.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { formatSpan } from './format-time.ts';
import { fractionOf, ProgressModel, type ProgressPart } from './progress-model.ts';
import { countText, doneText, leftText, percentText, rateText } from './progress-words.ts';
import type { Terminal } from './terminal.ts';

/**
 * Progress for a pipe or a log: a line where something starts or ends, and in between one for every ten per cent or ten
 * seconds, whichever comes later, so that a log stays readable. With `quiet`, warnings only.
 */
export class ProgressLines {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #quiet: boolean;
  readonly #errors: boolean;
  readonly #model = new ProgressModel();
  readonly #said = new Map<string, { time: number; fraction: number; error?: string }>();

  constructor(terminal: Terminal, options: { clock: Clock; quiet: boolean; errors?: boolean }) {
    this.#terminal = terminal;
    this.#clock = options.clock;
    this.#quiet = options.quiet;
    this.#errors = options.errors === true;
  }

  show(event: TaskEvent): void {
    const part = this.#model.apply(event);
    const title = event.path.length > 2 ? [event.path[0], event.path.slice(1).join(' / ')] : event.path;
    const name = title.join(': ');
    if (event.kind === 'warning') this.#line(`${name}: warning: ${event.message}`);
    else if (this.#quiet) return;
    else if (event.kind === 'log') this.#line(`${name}: ${event.message}`);
    else if (event.kind === 'progress') this.#progress(part, name);
    else this.#turn(part, event, name);
  }

  close(): void {}

  #turn(part: ProgressPart, event: TaskEvent, name: string): void {
    const deep = event.path.length > 2;
    const took = formatSpan(event.time - part.started);
    if (event.kind === 'started') {
      this.#said.set(part.key, { time: this.#clock.now(), fraction: 0 });
      if (!deep) this.#line(`${name}: started`);
      return;
    }
    const spoke = this.#said.get(part.key)?.fraction ?? 0;
    this.#said.delete(part.key);
    if (event.kind === 'failed') {
      // The error goes up through every part above it; it is said once, at the task.
      if (event.path.length === 1)
        this.#line(`${name}: failed after ${took}${this.#errors ? `: ${event.message}` : ''}`);
    } else if (!deep || spoke > 0) {
      const amount = doneText(part);
      this.#line(`${name}: done${amount === '' ? '' : `, ${amount}`} in ${took}`);
    }
  }

  #progress(part: ProgressPart, name: string): void {
    const now = this.#clock.now();
    const fraction = fractionOf(part);
    const said = this.#said.get(part.key) ?? { time: now, fraction: 0 };
    this.#said.set(part.key, said);
    if (fraction === 1 || now - said.time < 10_000) return;
    if (fraction !== undefined && fraction - said.fraction < 0.1 && now - said.time < 60_000) return;
    this.#said.set(part.key, { time: now, fraction: fraction ?? 0.01 });
    const words = [percentText(part), countText(part), rateText(part, now), leftText(part, now)];
    this.#line(`${name}: ${words.filter((word) => word !== undefined).join(', ')}`);
  }

  #line(text: string): void {
    this.#terminal.write(`${this.#terminal.plain(text)}\n`);
  }
}
