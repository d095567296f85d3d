import { createInterface } from 'node:readline';
import type { Terminal } from './terminal.ts';

/** Asks a yes-or-no question on the terminal; anything but a yes is a no. Rejects with the signal's reason. */
export function ask(question: string, terminal: Terminal, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const reader = createInterface({ input: process.stdin, output: process.stderr });
    const prompt = terminal.plain(`${terminal.paint('bold', question)} ${terminal.paint('dim', '[y/N]')} `);
    const finish = (end: () => void) => {
      signal.removeEventListener('abort', abort);
      // First the answer: closing alone (Ctrl-D) is a no.
      end();
      reader.close();
    };
    const abort = () => finish(() => reject(signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    // readline takes Ctrl-C from the terminal for itself: hand it on.
    reader.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    reader.on('close', () => resolve(false));
    reader.question(prompt, (answer) => finish(() => resolve(/^\s*(y|yes)\s*$/i.test(answer))));
  });
}
