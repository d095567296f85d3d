import { createInterface } from 'node:readline';
import { ImprintError } from '../foundation/errors.ts';
import type { RunningProcess } from './run.ts';

interface Waiting {
  resolve(value: unknown): void;
  reject(error: ImprintError): void;
}

/** QEMU’s monitor (QMP: a JSON object a line) on its standard input and output. Errors of `execute`: `process-failed`. */
export class Qmp {
  readonly #process: RunningProcess;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;
  #ended: string | undefined;

  constructor(process: RunningProcess) {
    this.#process = process;
    createInterface({ input: process.stdout }).on('line', (line) => this.#take(line));
    process.stderr.resume();
    const end = (reason: string) => {
      this.#ended = reason;
      for (const { reject } of this.#waiting.values()) reject(failed('', reason));
      this.#waiting.clear();
    };
    process.ended.then(
      () => end('it has ended'),
      (error: unknown) => end(error instanceof Error ? error.message : String(error)),
    );
  }

  /** To be called once, before all else. */
  async open(): Promise<void> {
    await this.execute('qmp_capabilities');
  }

  execute(command: string, words: object = {}): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(failed(command, this.#ended));
    const id = ++this.#count;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.stdin.write(`${JSON.stringify({ execute: command, arguments: words, id })}\n`);
    });
  }

  /** Greeting and events have no `id`. */
  #take(line: string): void {
    let message: { id?: unknown; return?: unknown; error?: { desc?: unknown } };
    try {
      message = JSON.parse(line);
    } catch {
      return;
    }
    const waiting = typeof message.id === 'number' ? this.#waiting.get(message.id) : undefined;
    if (waiting === undefined) return;
    this.#waiting.delete(Number(message.id));
    if (message.error === undefined) waiting.resolve(message.return);
    else waiting.reject(failed('', String(message.error.desc)));
  }
}

function failed(command: string, reason: string): ImprintError {
  return new ImprintError('process-failed', { command: `QEMU ${command}`.trim(), status: 'refused', stderr: reason });
}
