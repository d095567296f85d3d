import type { Terminal } from './terminal.ts';

const flushLength = 1 << 16;

/** Collects lines and writes them in large pieces: a listing has a hundred thousand of them. */
export class LineWriter implements Disposable {
  readonly #terminal: Terminal;
  #text = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  line(text: string): void {
    this.#text += `${text}\n`;
    if (this.#text.length >= flushLength) this.flush();
  }

  flush(): void {
    if (this.#text !== '') this.#terminal.write(this.#text);
    this.#text = '';
  }

  [Symbol.dispose](): void {
    this.flush();
  }
}
