import type { z } from 'zod';
import { imageMount } from '../../contract/operations/comparisons.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { Task } from '../../foundation/task.ts';
import { mountImage } from '../../operations/mount-image.ts';
import { isLeftBehind, leaveBehind, sayReady } from '../../system/background.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

type Output = z.output<typeof imageMount.output>;

/**
 * `imprint image mount REF DIRECTORY`: returns when it is mounted, and leaves a process behind that serves it until `umount`. With
 * `--foreground` this process serves it itself, until it is unmounted or interrupted.
 */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(imageMount.input, {
    reference: invocation.argument(0),
    directory: invocation.argument(1),
  });
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would mount ${input.reference} on ${input.directory}\n`);
    return;
  }
  if (!invocation.flag('foreground')) {
    const output = await serveInBackground();
    session.result(output, () => words(output));
    return;
  }
  const context = await session.context();
  // The process that was left behind has nobody to warn: whoever reads gets EIO.
  const alone = isLeftBehind();
  const warn = alone ? () => {} : (warning: string) => session.say(warning);
  const mounted = await mountImage(context, input, Task.silent(session.signal), warn);
  if (alone) sayReady(mounted.output);
  else session.result(mounted.output, () => words(mounted.output));
  session.endsByInterrupt = true;
  session.signal.addEventListener('abort', () => void mounted[Symbol.asyncDispose]());
  await mounted.ended;
}

/** This very command line in a process of its own that outlives this one. */
async function serveInBackground(): Promise<Output> {
  const left = await leaveBehind(['--foreground', '--json']);
  if ('failed' in left) throw errorOf(left.failed);
  return left.ready as Output;
}

/** The error that the last line of the other process's stderr is. */
function errorOf(said: string): ImprintError {
  const line = said.trim().split('\n').at(-1) ?? '';
  try {
    const { error } = JSON.parse(line) as { error: Parameters<typeof ImprintError.fromValue>[0] };
    return ImprintError.fromValue(error);
  } catch {
    return new ImprintError('internal', { problem: line || 'the process that should serve the mount ended' });
  }
}

function words({ reference, directory, entries }: Output): string {
  const count = entries.toLocaleString('en-GB');
  return `${reference} is mounted on ${directory}: ${count} entries, read-only (umount ${directory} ends it)\n`;
}
