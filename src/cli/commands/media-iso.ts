import { type IsoMediaOutput, isoMediaInputSchema } from '../../contract/operations/media.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { checkLocalConfig } from '../../operations/media/imager-content.ts';
import { writeIsoMedium } from '../../operations/media/write-iso.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { describeMedium, mediumInput } from './medium-words.ts';

/** `imprint media iso TARGET`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(isoMediaInputSchema, await mediumInput(invocation), { server: '--url' });
  const context = await session.context();
  if (session.globals.dryRun) {
    if (input.localConfig !== undefined) checkLocalConfig(input.localConfig);
    session.result({ dryRun: true, ...input }, () => `would write an ISO with the imager to ${input.target}\n`);
    return;
  }
  const output = await session.task('make an ISO', (task) => writeIsoMedium(context, input, task));
  for (const warning of output.warnings) session.warn(warning);
  session.result(output, () => describe(output));
}

function describe(output: IsoMediaOutput): string {
  return `${output.target}: ${formatBytes(output.bytes)}, ${describeMedium(output)}\n`;
}
