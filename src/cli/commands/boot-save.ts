import { bootSave } from '../../contract/operations/boot.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { diskWords } from '../../machine/boot-copy-words.ts';
import { findBootDisk } from '../../operations/boot/find-boot-disk.ts';
import { saveBoot } from '../../operations/boot/save-boot.ts';
import { systemProcesses } from '../../system/run.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';

/** `imprint boot save FILE [--disk DISK]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const disk = invocation.text('disk');
  const input = parseInput(bootSave.input, {
    file: invocation.argument(0),
    force: invocation.flag('force'),
    ...(disk === undefined ? {} : { disk }),
  });
  if (session.globals.dryRun) {
    const { path } = await findBootDisk(systemProcesses, input.disk);
    session.result(
      { dryRun: true, ...input, disk: path },
      () => `would keep the boot parts of ${path} in ${input.file}\n`,
    );
    return;
  }
  const context = { processes: systemProcesses, clock: session.clock };
  const output = await session.task('keep what boots', (task) => saveBoot(context, input, task));
  for (const warning of output.warnings) session.warn(warning);
  session.result(output, () => {
    const table = printTable(
      session.stdout,
      [{ title: 'PART' }, { title: 'HOLDS', shrink: true }, { title: 'SIZE', align: 'right' }],
      output.parts.map(({ part, what, bytes }) => [part, what, formatBytes(bytes)]),
    );
    return `${table}\n${diskWords(output.disk)} is kept in ${output.file} (${formatBytes(output.bytes)})\n`;
  });
}
