import { formatSpan } from '../../src/cli/format-time.ts';
import { cutText, padText, textWidth, wrapText } from '../../src/cli/text-width.ts';
import { findReader } from './background.ts';
import { ToldLines } from './told-lines.ts';

interface Stage {
  readonly title: string;
  readonly took: string;
  readonly shown: readonly string[];
}

const [narrowest, widest] = [60, 100];

/** Tells the story: stages with their times, the commands that run, what was shown, and a summary at the end. */
export class Narrator {
  readonly #began = performance.now();
  readonly #stages: Stage[] = [];
  readonly #reader = findReader();
  #shown: string[] = [];
  /** Of this stage. */
  #commands = 0;
  #told = new ToldLines();
  #status = '';
  #statusBegan = 0;

  /** Runs one stage; what it tells by `fact` comes up again in the summary. */
  async stage(title: string, work: () => Promise<void>): Promise<void> {
    this.#rule(title);
    this.#shown = [];
    this.#commands = 0;
    const began = performance.now();
    const ticking = this.#reader.live ? setInterval(() => this.#tick(), 1000) : undefined;
    try {
      await work();
    } finally {
      clearInterval(ticking);
      this.#status = '';
      this.#clear();
    }
    const took = formatSpan(performance.now() - began);
    this.#stages.push({ title, took, shown: this.#shown });
    this.#line(padText(this.#paint('2', took), this.#width(), 'right'));
  }

  /** Something that was proven: it is told at once, and in the summary. */
  fact(text: string): void {
    this.#status = '';
    this.#shown.push(text);
    this.#factLines('   ', text);
  }

  /** A command as a person would type it. */
  command(line: string): void {
    this.#told = new ToldLines();
    this.#status = '';
    if (this.#commands > 0) this.#line('');
    this.#commands += 1;
    const lines = wrapText(line, this.#width() - 10);
    for (const [index, text] of lines.entries()) {
      const words = `${index === 0 ? '$ ' : '      '}${text}${index < lines.length - 1 ? ' \\' : ''}`;
      this.#line(`   ${this.#paint('36', words)}`);
    }
  }

  /** A line of what a command or a machine said. */
  said(line: string): void {
    const told = this.#told.read(line);
    if (told.kind === 'now') this.#now(told.text);
    else if (told.kind === 'step') this.#step(told, this.#paint('2', '·'));
    else if (told.kind === 'failed') this.#step(told, this.#paint('31', '✗'));
    else this.#remark(told.text);
  }

  #remark(remark: string): void {
    for (const text of this.#fold(remark)) this.#line(this.#paint('2', `   ${text}`));
    if (/ restarts\b/.test(remark)) this.#now('the machine restarts, and proves what it runs');
  }

  /** What is waited for now: shown with the seconds that have gone by, on a terminal only. */
  waiting(what: string): void {
    this.#now(what);
    if (!this.#reader.live) this.#line(this.#paint('2', `   … ${what}`));
  }

  summary(): void {
    this.#rule('What was shown');
    for (const { title, took, shown } of this.#stages) {
      this.#line(`${padText(took, 7, 'right')}  ${title}`);
      for (const fact of shown) this.#factLines('         ', fact);
    }
    this.#line(`${padText(formatSpan(performance.now() - this.#began), 7, 'right')}  in all`);
  }

  #rule(title: string): void {
    const dashes = '━'.repeat(Math.max(2, this.#width() - textWidth(title) - 4));
    console.log(`\n${this.#paint('1', `━━ ${title} `)}${this.#paint('2', dashes)}`);
  }

  #factLines(indent: string, text: string): void {
    for (const [index, line] of wrapText(text, this.#width() - indent.length - 2).entries()) {
      this.#line(`${indent}${index === 0 ? this.#paint('32', '✓') : ' '} ${line}`);
    }
  }

  /** Its time stands at the right margin. */
  #step({ text, took }: { text: string; took: string }, mark: string): void {
    this.#status = '';
    const room = this.#width() - 5;
    const lines = wrapText(text, room - 10);
    for (const [index, line] of lines.entries()) {
      const words = index < lines.length - 1 ? line : `${padText(line, room - textWidth(took))}${took}`;
      this.#line(`   ${index === 0 ? mark : ' '} ${this.#paint('2', words)}`);
    }
  }

  /** What is too long goes on below its beginning, that of a field below its value. */
  #fold(text: string): string[] {
    const room = this.#width() - 3;
    if (textWidth(text) <= room) return [text];
    const [head = ''] = /^ *(\S+ {2,}|-> )?/.exec(text) ?? [];
    const indent = ' '.repeat(head.length || 2);
    const lines = wrapText(text.slice(head.length), room - indent.length);
    return lines.map((line, index) => cutText(`${index === 0 ? head : indent}${line}`, room));
  }

  #now(text: string): void {
    this.#status = text;
    this.#statusBegan = performance.now();
    if (this.#reader.live) this.#tick();
  }

  #tick(): void {
    if (this.#status === '') return;
    const took = formatSpan(performance.now() - this.#statusBegan).replace(/\.\d s$/, ' s');
    const room = this.#width() - 5 - took.length - 2;
    const words = `${padText(cutText(this.#status, room), room)}  ${took}`;
    process.stdout.write(`\r\x1b[K   ${this.#paint('33', '…')} ${words}`);
  }

  #clear(): void {
    if (this.#reader.live) process.stdout.write('\r\x1b[K');
  }

  #line(line: string): void {
    this.#clear();
    console.log(line);
  }

  /** Cells that a line may take. */
  #width(): number {
    return Math.max(narrowest, Math.min(widest, this.#reader.columns ?? widest));
  }

  #paint(code: string, text: string): string {
    return this.#reader.colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}
