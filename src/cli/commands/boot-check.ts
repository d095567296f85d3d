import { bootCheck } from '../../contract/operations/boot.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { diskWords } from '../../machine/boot-copy-words.ts';
import { checkBoot } from '../../operations/boot/check-boot.ts';
import { systemProcesses } from '../../system/run.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { givenBootCopy } from '../server-boot-copy.ts';
import type { Session } from '../session.ts';

/** `imprint boot check [FILE] [--disk DISK]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const [file, disk] = [await givenBootCopy(session, invocation), invocation.text('disk')];
  const input = parseInput(bootCheck.input, {
    ...(file === undefined ? {} : { file }),
    ...(disk === undefined ? {} : { disk }),
  });
  const context = { processes: systemProcesses, clock: session.clock };
  const output = await session.task('look at the disk', (task) => checkBoot(context, input, task));
  const { problem, differences = [] } = output;
  session.result(output, () => {
    const { paint } = session.stdout;
    const colours = { good: 'green', note: 'yellow', bad: 'red' } as const;
    const words = { good: 'good', note: 'note', bad: 'BAD ' } as const;
    const lines = output.found.map(
      ({ what, state, says }) => `  ${paint(colours[state], words[state])}  ${what}: ${says}`,
    );
    const compared =
      input.file === undefined
        ? []
        : differences.length === 0
          ? [`all is as ${input.file} has it`]
          : [`against ${input.file}:`, ...differences.map(({ what, how }) => `  ${what} ${how}`)];
    return [diskWords(output.disk), ...lines, ...compared].map((line) => `${line}\n`).join('');
  });
  if (problem !== undefined) throw new ImprintError('boot-damaged', { disk: output.disk.path, problem });
  if (differences.length > 0) {
    const [path, count] = [output.disk.path, differences.length];
    throw new ImprintError('boot-differs', { disk: path, file: input.file ?? '', count });
  }
}
