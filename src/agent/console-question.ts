import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../foundation/clock.ts';

/** Asks whoever stands at a console of this machine. */
export interface ConsoleQuestion {
  /** The line that was typed, on whichever console; the question itself is shown by the caller. Rejects only when aborted. */
  answer(signal: AbortSignal): Promise<string>;
}

/**
 * A question by two files, with `imager-init`, who has the consoles: while `question` is there, it writes a line that is not empty to `answer`; it waits a second for a question that is shown before it is there. (An empty one
 * opens a shell, as always.)
 */
export function consoleQuestion(directory: string, clock: Clock, interval = 300): ConsoleQuestion {
  const question = join(directory, 'question');
  const answer = join(directory, 'answer');
  return {
    async answer(signal) {
      await rm(answer, { force: true });
      await writeFile(question, '');
      try {
        for (;;) {
          signal.throwIfAborted();
          const text = await readFile(answer, 'utf8').catch(() => undefined);
          if (text !== undefined) return text.trim();
          await clock.sleep(interval, signal);
        }
      } finally {
        await rm(question, { force: true });
        await rm(answer, { force: true });
      }
    },
  };
}
