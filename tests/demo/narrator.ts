interface Stage {
  readonly title: string;
  readonly seconds: number;
  readonly shown: readonly string[];
}

/** Tells the story: stages with their times, the commands that run, what was shown, and a summary at the end. */
export class Narrator {
  readonly #began = performance.now();
  readonly #stages: Stage[] = [];
  readonly #colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  #shown: string[] = [];
  #status = '';

  /** Runs one stage; what it tells by `fact` comes up again in the summary. */
  async stage(title: string, work: () => Promise<void>): Promise<void> {
    console.log(`\n${this.#paint('1', `━━ ${title} `)}${this.#paint('2', '━'.repeat(Math.max(2, 96 - title.length)))}`);
    this.#shown = [];
    const began = performance.now();
    const ticking = this.#tick(began);
    try {
      await work();
    } finally {
      clearInterval(ticking);
      this.#clear();
    }
    const seconds = (performance.now() - began) / 1000;
    this.#stages.push({ title, seconds, shown: this.#shown });
    console.log(this.#paint('2', `   ${seconds.toFixed(1)} s`));
  }

  /** Something that was proven: it is told at once, and in the summary. */
  fact(text: string): void {
    this.#shown.push(text);
    this.#line(`   ${this.#paint('32', '✓')} ${text}`);
  }

  /** A command as a person would type it. */
  command(line: string): void {
    this.#line(`   ${this.#paint('36', `$ ${line}`)}`);
  }

  /** A line of what a command or a machine said. */
  said(line: string): void {
    this.#line(this.#paint('2', `     ${line}`));
  }

  /** What is waited for now: shown with the seconds that have gone by, on a terminal only. */
  waiting(what: string): void {
    this.#status = what;
    if (!process.stdout.isTTY) this.#line(this.#paint('2', `     … ${what}`));
  }

  summary(): void {
    const total = (performance.now() - this.#began) / 1000;
    console.log(`\n${this.#paint('1', '━━ What was shown ')}${this.#paint('2', '━'.repeat(82))}`);
    for (const { title, seconds, shown } of this.#stages) {
      console.log(`${seconds.toFixed(1).padStart(7)} s  ${title}`);
      for (const fact of shown) console.log(`           ${this.#paint('32', '✓')} ${fact}`);
    }
    console.log(`${total.toFixed(1).padStart(7)} s  in all`);
  }

  #tick(began: number): NodeJS.Timeout | undefined {
    this.#status = '';
    if (!process.stdout.isTTY) return undefined;
    return setInterval(() => {
      if (this.#status === '') return;
      const seconds = Math.round((performance.now() - began) / 1000);
      process.stdout.write(`\r\x1b[K     … ${this.#status} (${seconds} s)`);
    }, 1000);
  }

  #clear(): void {
    if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  }

  #line(line: string): void {
    this.#clear();
    console.log(line);
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}
