import { readdir } from 'node:fs/promises';
import { ImprintError } from '../foundation/errors.ts';
import type { Processes, ProcessResult } from './run.ts';

/**
 * An ext file system that begins at byte `start` of a disk or image, read without mounting it. Paths are absolute and hold no quotation mark. Errors of
 * all methods: `tool-missing`, `process-failed`, `interrupted`.
 */
export class ExtFiles {
  readonly #processes: Processes;
  readonly #disk: string;
  readonly #start: number;
  readonly #signal: AbortSignal;

  constructor(processes: Processes, place: { path: string; start: number }, signal: AbortSignal) {
    this.#processes = processes;
    this.#disk = place.path;
    this.#start = place.start;
    this.#signal = signal;
  }

  /** A text file; undefined where there is none. */
  async read(path: string): Promise<string | undefined> {
    const { stdout, stderr } = await this.#debugfs(`cat "${path}"`, 60_000);
    return stdout === '' && stderr.includes('not found') ? undefined : stdout;
  }

  /** Copies a directory, with all below it, into another. Errors: `io-failed` where it is not there. */
  async copyDirectory(path: string, target: string): Promise<void> {
    // Owners and times are nobody's concern here, and cannot be set without root.
    const { stderr } = await this.#debugfs(`rdump "${path}" "${target}"`, 120_000);
    if ((await readdir(target)).length > 0) return;
    const problem = stderr.trim().split('\n').at(-1) ?? 'nothing was copied';
    throw new ImprintError('io-failed', { operation: `reading ${path} from`, path: this.#disk, problem });
  }

  /** Copies a file; where there is none, nothing is made. */
  async copy(path: string, target: string): Promise<void> {
    await this.#debugfs(`dump "${path}" "${target}"`, 300_000);
  }

  #debugfs(request: string, timeout: number): Promise<ProcessResult> {
    const args = ['-R', request, `${this.#disk}?offset=${this.#start}`];
    return this.#processes.run('debugfs', args, { timeout, signal: this.#signal, accept: [0, 1] });
  }
}
