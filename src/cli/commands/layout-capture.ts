import { writeFile } from 'node:fs/promises';
import { layoutCapture } from '../../contract/operations/layouts.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { captureNamedLayout } from '../../operations/layouts/capture-layout.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint layout capture [SOURCE] [--output FILE]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const output = invocation.text('output');
  const identity = invocation.text('identity');
  const input = parseInput(layoutCapture.input, {
    source: invocation.optionalArgument(0) ?? '/',
    sshOptions: invocation.list('sshOption'),
    ...(identity === undefined ? {} : { identity }),
  });
  const context = await session.context();
  const captured = await session.task(`capture the layout of ${input.source}`, (task) =>
    captureNamedLayout(context, input, task),
  );
  const written = session.globals.dryRun ? undefined : output;
  if (written !== undefined) {
    // A file may have been changed by hand: it is not written over.
    await writeFile(written, captured.text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
      throw new ImprintError('input-invalid', { field: '--output', problem: `${written} is there already` });
    });
  }
  for (const warning of captured.warnings) session.say(`to decide: ${warning}`);
  session.result(captured, () =>
    written === undefined
      ? captured.text
      : `${written}: look at what it means on a disk: imprint layout solve ${written} --disk 500G\n`,
  );
}
