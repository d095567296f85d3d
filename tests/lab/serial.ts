import { createWriteStream, type WriteStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';

const kept = 1024 * 1024;

interface Waiter {
  readonly marker: RegExp | string;
  readonly from: number;
  resolve(match: string): void;
}

/**
 * A machine's serial console: everything it says is kept in a log file; `expect` waits for a marker in what it says from
 * now on, or from a place remembered by `mark`.
 */
export class SerialConsole {
  readonly logFile: string;
  readonly #log: WriteStream;
  readonly #input: Writable;
  readonly #waiters = new Set<Waiter>();
  #text = '';
  /** How many characters were dropped from the start of `#text`. */
  #dropped = 0;
  #closed: string | undefined;
  readonly #closers = new Set<() => void>();
  onLine: ((line: string) => void) | undefined;
  #partial = '';

  constructor(output: Readable, input: Writable, logFile: string) {
    this.logFile = logFile;
    this.#log = createWriteStream(logFile);
    this.#input = input;
    output.on('data', (piece: Uint8Array) => this.#take(Buffer.from(piece)));
  }

  /** The place after everything that was said so far. */
  mark(): number {
    return this.#dropped + this.#text.length;
  }

  /**
   * Resolves with the matched text when the machine says `marker`, after the place `from` (default: in anything it has
   * said). Rejects after `timeout` milliseconds, or when the machine ends, with the end of its log in the message.
   */
  expect(marker: RegExp | string, timeout: number, from = 0): Promise<string> {
    const found = this.#find(marker, from);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        this.#closers.delete(close);
        act();
      };
      const fail = (problem: string) => reject(new Error(`${problem}: ${String(marker)}\n${this.tail()}`));
      const close = () => settle(() => fail(`The machine ended (${this.#closed}) before it said`));
      const waiter: Waiter = { marker, from, resolve: (match) => settle(() => resolve(match)) };
      const timer = setTimeout(() => settle(() => fail(`Not said within ${Math.round(timeout / 1000)} s`)), timeout);
      if (this.#closed !== undefined) return close();
      this.#waiters.add(waiter);
      this.#closers.add(close);
    });
  }

  /** What was said since a place. */
  heard(from: number): string {
    return this.#text.slice(Math.max(0, from - this.#dropped));
  }

  /** Types these bytes, and nothing behind them. */
  press(keys: string): void {
    this.#input.write(keys);
  }

  /** Types a line. */
  type(line: string): void {
    this.#input.write(`${line}\n`);
  }

  /** The end of what was said, for a failure's message. */
  tail(lines = 40): string {
    const end = plainText(this.#text).trimEnd().split('\n').slice(-lines).join('\n');
    return `── the last ${lines} lines of ${this.logFile} ──\n${end}\n── end ──`;
  }

  /** To be called when the machine has ended: nobody waits on. */
  close(reason: string): void {
    this.#closed = reason;
    this.#log.end();
    for (const closer of [...this.#closers]) closer();
  }

  #take(piece: Buffer): void {
    this.#log.write(piece);
    const text = piece.toString('latin1');
    this.#text += text;
    if (this.#text.length > 2 * kept) {
      this.#dropped += this.#text.length - kept;
      this.#text = this.#text.slice(-kept);
    }
    this.#tellLines(text);
    for (const waiter of [...this.#waiters]) {
      const found = this.#find(waiter.marker, waiter.from);
      if (found !== undefined) waiter.resolve(found);
    }
  }

  #tellLines(text: string): void {
    if (!this.onLine) return;
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.onLine(plainText(line).trimEnd());
  }

  #find(marker: RegExp | string, from: number): string | undefined {
    const text = this.#text.slice(Math.max(0, from - this.#dropped));
    if (typeof marker === 'string') return text.includes(marker) ? marker : undefined;
    return marker.exec(text)?.[0];
  }
}

/** Console output without its cursor movements and colours. */
function plainText(text: string): string {
  return text.replaceAll(/\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78c])/g, '').replaceAll('\r', '');
}
