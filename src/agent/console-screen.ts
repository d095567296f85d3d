import type { MachineFacts } from '../contract/machine.ts';
import { formatBytes } from '../foundation/bytes.ts';
import type { Clock } from '../foundation/clock.ts';
import type { ErrorValue } from '../foundation/errors.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { describeDisk } from '../machine/disk-rule.ts';
import { asciiText, cutLine, formatDuration, progressBar, wrapText } from './console-text.ts';

export interface ScreenOptions {
  write(text: string): void;
  clock: Clock;
  /** Milliseconds between two drawings of the line that moves; a serial line carries no more. */
  interval?: number;
  /** How a person gets a shell here; printed under a failure. */
  shellHint?: string;
}

interface StepShown {
  name: string;
  /** Milliseconds since 1970; `moved`: when its count last changed. */
  started: number;
  moved: number;
  done?: number;
  total?: number;
  unit?: string;
}

/**
 * The imager's console: lines that stay, and under them one that moves. Plain ASCII, 80 columns, carriage returns only, so that
 * it reads the same on a text console, on a serial line and in its log.
 */
export class ConsoleScreen {
  readonly #options: ScreenOptions;
  #status = '';
  #live = '';
  #drawn = Number.NEGATIVE_INFINITY;
  /** The step under way. */
  #step: StepShown | undefined;
  #steps = 0;
  #of = 0;

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  /** What this machine is, and whom it asks. */
  machine(facts: MachineFacts, server: string): void {
    const maker = [facts.vendor, facts.product].filter((part) => part !== undefined).join(' ') || 'unknown machine';
    const cores = `${facts.cores} core${facts.cores === 1 ? '' : 's'}`;
    this.#line('');
    this.#line('Imprint imager');
    this.#line(`  machine  ${maker}, ${cores}, ${formatBytes(facts.memory)} memory, ${facts.firmware.toUpperCase()}`);
    for (const card of facts.interfaces) {
      this.#line(`  network  ${[card.name, card.mac, card.address, card.driver].filter((part) => part).join('  ')}`);
    }
    for (const disk of facts.disks) this.#line(`  disk     ${describeDisk(disk)}`);
    if (facts.disks.length === 0) this.#line('  disk     none found');
    this.#line(`  server   ${server}`);
    this.#line('');
  }

  /** Says what is going on; the same again says nothing. */
  status(text: string): void {
    if (text === this.#status) return;
    this.#status = text;
    this.#line(`>> ${text}`);
  }

  /** An event of the install: steps as lines, the one under way as the line that moves. */
  event(event: TaskEvent): void {
    const [, step, ...inside] = event.path;
    if (step === undefined) {
      if (event.kind === 'progress' && event.unit === 'steps') this.#of = event.total ?? 0;
      if (event.kind === 'started') this.#steps = 0;
    } else if (inside.length === 0 && event.kind === 'started') {
      this.#steps += 1;
      this.#step = { name: step, started: event.time, moved: event.time };
      // Most steps take no time: the line that moves is for those that do.
      this.#drawn = this.#options.clock.now();
    } else if (inside.length === 0 && (event.kind === 'finished' || event.kind === 'failed')) {
      const time = this.#step === undefined ? '' : formatDuration(event.time - this.#step.started);
      this.#step = undefined;
      this.#line(`  [${event.kind === 'finished' ? ' ok ' : 'FAIL'}] ${this.#count()} ${step}  ${time}`);
    } else if (event.kind === 'progress' && this.#step !== undefined && (event.total ?? 0) > 0) {
      const { done, total, unit } = event;
      // Of several counts the one in bytes says most.
      if (this.#step.unit === undefined || unit === 'bytes' || this.#step.unit !== 'bytes') {
        const moved = done === this.#step.done ? this.#step.moved : event.time;
        Object.assign(this.#step, { done, total, unit, moved });
      }
      this.#draw(false);
    }
    // What is to be known of the whole install, and what people's scripts say.
    if (event.kind === 'log' && step === undefined) this.#line(`  ${event.message}`);
    if (event.kind === 'log' && inside.length > 0) this.#line(`  | ${event.message}`);
    if (event.kind === 'warning') this.#line(`  warning: ${event.message}`);
  }

  /** Draws the moving line again, so that a person sees that time passes. Called about once a second. */
  tick(): void {
    this.#draw(false);
  }

  /** Something went wrong: big, with what to do next. */
  failure(title: string, error: ErrorValue): void {
    const bar = '*'.repeat(78);
    this.#status = '';
    this.#step = undefined;
    for (const line of ['', bar, `*  ${title}`, bar]) this.#line(line);
    for (const line of wrapText(error.message, 78)) this.#line(line);
    this.#line('');
    for (const line of wrapText(`What to do: ${error.hint}`, 78)) this.#line(line);
    if (this.#options.shellHint !== undefined) {
      for (const line of wrapText(this.#options.shellHint, 78)) this.#line(line);
    }
    this.#line('');
  }

  /** A line that stays. */
  line(text: string): void {
    this.#line(text);
  }

  #line(text: string): void {
    const clear = this.#live === '' ? '' : `\r${' '.repeat(this.#live.length)}\r`;
    this.#live = '';
    this.#options.write(`${clear}${asciiText(text)}\r\n`);
  }

  #draw(always: boolean): void {
    const now = this.#options.clock.now();
    if (this.#step === undefined || (!always && now - this.#drawn < (this.#options.interval ?? 250))) return;
    this.#drawn = now;
    const text = cutLine(asciiText(this.#moving(this.#step, now)), 79);
    if (text === this.#live) return;
    this.#options.write(`\r${text.padEnd(this.#live.length)}`);
    this.#live = text.padEnd(this.#live.length);
  }

  #moving(step: StepShown, now: number): string {
    const elapsed = now - step.started;
    const { done = 0, total = 0 } = step;
    if (total === 0) return `  [ .. ] ${this.#count()} ${step.name}  ${formatDuration(elapsed)}`;
    const share = Math.min(done / total, 1);
    const amount =
      step.unit === 'bytes'
        ? `${formatBytes(done)} of ${formatBytes(total)}`
        : `${done} of ${total} ${step.unit ?? ''}`;
    const rate = step.unit === 'bytes' && elapsed > 0 ? `  ${formatBytes((done / elapsed) * 1000)}/s` : '';
    const still = now - step.moved;
    const left =
      still > 10_000
        ? `  nothing for ${formatDuration(still)}`
        : share > 0.02
          ? `  ${formatDuration((elapsed / share) * (1 - share))} left`
          : '';
    return `  ${progressBar(share, 24)} ${String(Math.floor(share * 100)).padStart(3)} %  ${amount}${rate}${left}`;
  }

  #count(): string {
    return this.#of === 0 ? '' : `${String(this.#steps).padStart(String(this.#of).length)}/${this.#of}`;
  }
}
