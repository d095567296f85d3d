import { bootMend } from '../../contract/operations/boot.ts';
import { diskWords } from '../../machine/boot-copy-words.ts';
import { type PreparedMend, prepareMend } from '../../operations/boot/mend-boot.ts';
import { systemProcesses } from '../../system/run.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint boot mend [--disk DISK]`: shows what would be made anew, asks, keeps what is there, writes, looks again. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const [disk, undo] = [invocation.text('disk'), invocation.text('undo')];
  const input = parseInput(bootMend.input, {
    all: invocation.flag('all'),
    ...(disk === undefined ? {} : { disk }),
    ...(undo === undefined ? {} : { undo }),
  });
  const context = { processes: systemProcesses, clock: session.clock };
  const prepared = await session.task('look at the disk', (task) => prepareMend(context, input, task));
  const { steps, left } = prepared;
  if (session.globals.dryRun || steps.length === 0) {
    const value = { ...(session.globals.dryRun ? { dryRun: true } : {}), disk: prepared.disk, steps, left };
    session.result(value, () => planText(session, prepared));
    return;
  }
  if (!session.globals.yes) session.say(planText(session, prepared).trimEnd());
  await session.confirm(`Writing to ${prepared.disk.path}`, `Write this to ${diskWords(prepared.disk)}?`);
  const output = await session.task('mend what boots', (task) => prepared.apply(task));
  session.result(
    output,
    () => `${diskWords(output.disk)} is mended: written and read back\nwhat was there before is in ${output.undo}\n`,
  );
}

function planText(session: Session, { disk, steps, left, undo }: PreparedMend): string {
  const { paint } = session.stdout;
  const lines = [
    steps.length > 0
      ? `${diskWords(disk)}:`
      : `${diskWords(disk)}: ${left.length === 0 ? 'nothing is broken' : 'nothing that is broken can be mended without a copy'}`,
    ...steps.map((step, index) => `  ${index + 1}. ${step}`),
    ...left.map((words) => paint('yellow', words)),
    ...(steps.length === 0 ? [] : [`what is there now would be kept in ${undo}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
