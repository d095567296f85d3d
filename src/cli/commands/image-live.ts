import { imageLive } from '../../contract/operations/live.ts';
import { formatBytes, parseBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { showVersion } from '../../operations/list-versions.ts';
import { buildLive } from '../../operations/live/build-live.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint image live REF --file-system xfs|btrfs`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const size = invocation.text('size');
  const bytes = size === undefined ? undefined : parseBytes(size);
  if (size !== undefined && bytes === undefined)
    throw new ImprintError('usage', { problem: `“${size}” is no size.`, hint: 'Write 20G or 8000M.' });
  const input = parseInput(
    imageLive.input,
    {
      reference: invocation.argument(0),
      fileSystem: invocation.text('fileSystem') as 'xfs',
      ...(bytes === undefined ? {} : { size: bytes }),
    },
    { fileSystem: '--file-system', size: '--size' },
  );
  const context = await session.context();
  if (session.globals.dryRun) {
    const { record } = await showVersion(context, { reference: input.reference });
    const words = `would make the ${input.fileSystem} of ${record.image}:${record.number} (${formatBytes(record.stats.contentBytes)})\n`;
    session.result({ dryRun: true, ...input, digest: record.digest }, () => words);
    return;
  }
  const output = await session.task(`make the ${input.fileSystem} of ${input.reference}`, (task) =>
    buildLive(context, input, task),
  );
  session.result(output, () => {
    const what = `${output.built} is ${output.reference} as ${output.fileSystem} of ${formatBytes(output.size)}`;
    if (!output.made) return `is there already: ${what}\n`;
    return `${what}; the store grew by ${formatBytes(output.newBytes)}\n`;
  });
}
