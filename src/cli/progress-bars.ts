import type { Clock } from '../foundation/clock.ts';
import type { TaskEvent } from '../foundation/task.ts';
import { formatSpan } from './format-time.ts';
import { LiveRegion } from './live-region.ts';
import { fractionOf, ProgressModel, type ProgressPart } from './progress-model.ts';
import { countText, doneText, leftText, percentText, rateText } from './progress-words.ts';
import type { Terminal } from './terminal.ts';
import { padText, textWidth } from './text-width.ts';

const frameInterval = 100;

/**
 * Progress for people: one line for each running part, with a bar where the total is known, redrawn in place; parts
 * that ended, logs and warnings stay as lines above.
 */
export class ProgressBars {
  readonly #terminal: Terminal;
  readonly #clock: Clock;
  readonly #errors: boolean;
  readonly #model = new ProgressModel();
  readonly #region: LiveRegion;
  #above: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(terminal: Terminal, options: { clock: Clock; errors?: boolean }) {
    this.#terminal = terminal;
    this.#clock = options.clock;
    this.#errors = options.errors === true;
    this.#region = new LiveRegion(terminal);
  }

  show(event: TaskEvent): void {
    const part = this.#model.apply(event);
    const line = this.#lasting(part, event);
    if (line !== undefined) this.#above.push(line);
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => this.#draw(), frameInterval);
      // A bar alone keeps no process alive.
      this.#timer.unref();
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#above.length > 0) this.#draw();
    this.#region.close();
  }

  #draw(): void {
    this.#frame += 1;
    const now = this.#clock.now();
    const parts = this.#model.running();
    const room = this.#terminal.rows - 3;
    const shown = parts.slice(0, parts.length > room ? room - 1 : room);
    const nameWidth = Math.max(0, ...shown.map((part) => indentOf(part) + textWidth(nameOf(part))));
    const lines = shown.map((part) => this.#line(part, nameWidth, now));
    if (shown.length < parts.length)
      lines.push(this.#terminal.paint('dim', `… and ${parts.length - shown.length} more`));
    this.#region.draw(lines, this.#above);
    this.#above = [];
  }

  #line(part: ProgressPart, nameWidth: number, now: number): string {
    const { paint } = this.#terminal;
    const columns = this.#terminal.columns;
    const fraction = fractionOf(part);
    const width = Math.min(nameWidth, Math.max(12, Math.floor(columns / 3)));
    const name = padText(`${' '.repeat(indentOf(part))}${nameOf(part)}`, width);
    const head = `${paint('cyan', this.#spinner())} ${part.path.length === 1 ? paint('bold', name) : name}`;
    const elapsed = formatSpan(now - part.started);
    if (fraction === undefined) {
      const words = [countText(part), rateText(part, now)].filter((word) => word !== undefined);
      return `${head}  ${paint('dim', [...words, elapsed.replace(/\.\d s$/, ' s')].join('  '))}`;
    }
    const words = [
      padText(percentText(part) ?? '', 5, 'right'),
      countText(part),
      rateText(part, now),
      leftText(part, now),
    ].filter((word) => word !== undefined);
    // What there is no room for goes, from the least important; the bar is the last to shrink below ten cells.
    let room = columns - 1 - textWidth(head) - 2;
    while (words.length > 1 && room - textWidth(words.join('  ')) - 2 < 10) words.pop();
    room -= textWidth(words.join('  ')) + 2;
    const [percent, ...rest] = words;
    const details = rest.length > 0 ? `  ${paint('dim', rest.join('  '))}` : '';
    return `${head}  ${this.#bar(fraction, Math.min(32, room))}  ${percent}${details}`;
  }

  #bar(fraction: number, width: number): string {
    if (width < 4) return '';
    const { colour, unicode, paint } = this.#terminal;
    const filled = Math.floor(fraction * width);
    const [full, empty] = unicode ? (colour ? ['━', '━'] : ['█', '░']) : ['#', '-'];
    return paint('cyan', full.repeat(filled)) + paint('dim', empty.repeat(width - filled));
  }

  #spinner(): string {
    const frames = this.#terminal.unicode ? '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏' : '|/-\\';
    return frames[this.#frame % frames.length] ?? '';
  }

  /** The line that an event leaves behind, if it leaves one. */
  #lasting(part: ProgressPart, event: TaskEvent): string | undefined {
    const { paint } = this.#terminal;
    // Where several tasks run at once, each line says whose it is.
    const several = this.#model.tasks > 1 && event.path.length > 1;
    const indent = several ? `${event.path[0]}: ` : ' '.repeat(Math.max(0, event.path.length - 1) * 2);
    const took = part.ended === undefined ? '' : formatSpan(part.ended - part.started);
    switch (event.kind) {
      case 'warning':
        return `${paint('yellow', '!')} ${indent}${event.message}`;
      case 'log':
        return `${paint('dim', '·')} ${indent}${paint('dim', event.message)}`;
      case 'finished': {
        if (event.path.length > 2) return undefined;
        const amount = doneText(part);
        return `${paint('green', '✓')} ${indent}${nameOf(part)}  ${paint('dim', amount === '' ? took : `${amount}  ${took}`)}`;
      }
      case 'failed': {
        // The error goes up through every part above it; it is told once.
        if (event.path.length > 2) return undefined;
        const told = this.#errors && event.path.length === 1 ? `  ${paint('red', event.message)}` : '';
        return `${paint('red', '✗')} ${indent}${nameOf(part)}  ${paint('dim', took)}${told}`;
      }
      default:
        return undefined;
    }
  }
}

function indentOf(part: ProgressPart): number {
  return (part.path.length - 1) * 2;
}

function nameOf(part: ProgressPart): string {
  return part.path.at(-1) ?? '';
}
