import { readFile } from 'node:fs/promises';
import { ImprintError } from '../foundation/errors.ts';
import { commands } from './command-table.ts';
import { readCommandLine } from './program.ts';
import { refuseUnreadable } from './readable-words.ts';
import type { Entries, Session } from './session.ts';
import { openTerminal } from './terminal.ts';

/**
 * Runs one command line and ends the process with the exit status of the catalogue.
 *
 * The first SIGINT or SIGTERM aborts what runs, which then cleans up and ends with 130; a second one ends at once. A reader that
 * goes away (`imprint images | head`) ends the command quietly.
 */
export async function runCommandLine(words: readonly string[], version: string, entries: Entries): Promise<never> {
  const environment = process.env;
  const stdout = openTerminal(process.stdout, environment);
  const stderr = openTerminal(process.stderr, environment);
  const controller = new AbortController();
  let session: Session | undefined;
  const interrupt = () => {
    if (controller.signal.aborted) {
      session?.closeProgress();
      process.exit(130);
    }
    controller.abort(new ImprintError('interrupted', {}));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    session?.closeProgress();
    process.exit(0);
  });
  process.stderr.on('error', () => {});

  // For errors of the command line itself, whose options are not known yet.
  const options = { json: words.includes('--json'), debug: words.includes('--debug') };
  try {
    await refuseUnreadable(words, () => readFile('/proc/self/cmdline'));
    const request = await readCommandLine(words, commands, version, stdout);
    if (request.kind === 'text') stdout.write(request.text);
    else {
      const { readGlobals, Session } = await import('./session.ts');
      const globals = readGlobals(request.globals, environment);
      const { signal } = controller;
      session = new Session({ globals, stdout, stderr, stdin: process.stdin, signal, environment, entries });
      const { run } = await request.command.load();
      await run(session, request.invocation);
      await session.close();
    }
    await written(process.stdout);
    return process.exit(0);
  } catch (thrown) {
    await session?.close().catch(() => {});
    const { reportError } = await import('./error-report.ts');
    const cause = controller.signal.aborted && !(thrown instanceof ImprintError) ? controller.signal.reason : thrown;
    if (controller.signal.aborted && session?.endsByInterrupt) return process.exit(130);
    const status = reportError(stderr, cause, options);
    await Promise.all([written(process.stdout), written(process.stderr)]);
    return process.exit(status);
  }
}

/** Resolves when all that a stream was given is on its way: to end the process before would cut off what a slow reader left waiting. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('error', () => resolve());
    stream.write('', () => resolve());
  });
}
