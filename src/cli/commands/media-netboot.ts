import { netbootMedia } from '../../contract/operations/media.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { buildImager } from '../../operations/build-imager.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';

/** `imprint media netboot`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const suite = invocation.text('suite');
  const kernelFrom = invocation.text('kernelFrom');
  const input = parseInput(netbootMedia.input, {
    ...(suite === undefined ? {} : { suite }),
    refresh: invocation.flag('refresh'),
    ...(kernelFrom === undefined ? {} : { kernelFrom }),
  });
  const context = await session.context();
  if (session.globals.dryRun) {
    const { netboot } = context.paths;
    session.result(
      { dryRun: true, ...input, directory: netboot },
      () =>
        `would build the imager from Debian ${input.suite}${input.kernelFrom === undefined ? '' : `, with the kernel of ${input.kernelFrom},`} into ${netboot}\n`,
    );
    return;
  }
  const output = await session.task('build the imager', (task) => buildImager(context, input, task));
  session.result(output, () => {
    const table = printTable(
      session.stdout,
      [{ title: 'FILE' }, { title: 'SIZE', align: 'right' }, { title: 'SHA-256', shrink: true }],
      output.files.map((file) => [`${output.directory}/${file.path}`, formatBytes(file.bytes), file.sha256]),
    );
    const from = output.kernelFrom ?? `Debian ${output.suite}`;
    return `${table}\nkernel ${output.kernel} of ${from}${output.cached ? ', from the cache' : ''}; trusts key ${output.key}\n`;
  });
}
