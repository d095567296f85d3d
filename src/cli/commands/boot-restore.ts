import type { BootPart } from '../../contract/boot-copy.ts';
import { bootRestore } from '../../contract/operations/boot.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { diskWords } from '../../machine/boot-copy-words.ts';
import { type PreparedRestore, prepareRestore } from '../../operations/boot/restore-boot.ts';
import { systemProcesses } from '../../system/run.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { givenBootCopy } from '../server-boot-copy.ts';
import type { Session } from '../session.ts';

/** `imprint boot restore FILE [--disk DISK]`: shows what differs, asks, keeps what is there, writes, reads back. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const [disk, parts, undo] = [invocation.text('disk'), invocation.text('parts'), invocation.text('undo')];
  const file = await givenBootCopy(session, invocation);
  if (file === undefined) {
    const hint = 'imprint boot restore FILE, or the server’s: --machine NAME. Without any: imprint boot mend';
    throw new ImprintError('usage', { problem: 'imprint boot restore needs a safety copy.', hint });
  }
  const input = parseInput(
    bootRestore.input,
    {
      file,
      force: invocation.flag('force'),
      ...(disk === undefined ? {} : { disk }),
      // Words that are no parts are refused by the schema.
      ...(parts === undefined ? {} : { parts: parts.split(',').map((part) => part.trim()) as BootPart[] }),
      ...(undo === undefined ? {} : { undo }),
    },
    { parts: '--parts' },
  );
  const context = { processes: systemProcesses, clock: session.clock };
  await using prepared = await session.task('look at the disk', (task) => prepareRestore(context, input, task));
  const { differences, steps, left } = prepared;
  if (session.globals.dryRun) {
    session.result({ dryRun: true, disk: prepared.disk, differences, steps, left }, () => planText(session, prepared));
    return;
  }
  if (steps.length > 0) {
    if (!session.globals.yes) session.say(planText(session, prepared).trimEnd());
    await session.confirm(`Writing to ${prepared.disk.path}`, `Write this to ${diskWords(prepared.disk)}?`);
  }
  const output = await session.task('restore what boots', (task) => prepared.apply(task));
  session.result(output, () => {
    if (output.undo === undefined) return planText(session, prepared);
    const kept = `what was there before is in ${output.undo}`;
    return `${diskWords(output.disk)} has back what ${input.file} holds: written and read back\n${kept}\n`;
  });
}

function planText(session: Session, { disk, differences, steps, left, undo }: PreparedRestore): string {
  const { paint } = session.stdout;
  const lines = [
    differences.length === 0 ? `${diskWords(disk)} is as the copy has it` : `${diskWords(disk)}, against the copy:`,
    ...differences.map(({ what, how }) => `  ${what} ${how}`),
    ...(steps.length === 0 ? [] : ['would write:', ...steps.map((step, index) => `  ${index + 1}. ${step}`)]),
    ...(left.length === 0 ? [] : ['stays as it is:', ...left.map((words) => `  ${paint('yellow', words)}`)]),
    ...(steps.length === 0 ? [] : [`what is there now would be kept in ${undo}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
