import { imageCheckout } from '../../contract/operations/images.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { checkoutImage } from '../../operations/checkout-image.ts';
import { showVersion } from '../../operations/list-versions.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint image checkout REF DIRECTORY`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(imageCheckout.input, {
    reference: invocation.argument(0),
    directory: invocation.argument(1),
  });
  const context = await session.context();
  if (session.globals.dryRun) {
    const { record } = await showVersion(context, { reference: input.reference });
    const words = `would write ${record.image}:${record.number} (${formatBytes(record.stats.contentBytes)}) into ${input.directory}\n`;
    session.result({ dryRun: true, ...input, digest: record.digest }, () => words);
    return;
  }
  const output = await session.task(`check out ${input.reference}`, (task) => checkoutImage(context, input, task));
  session.result(output, () => {
    const count = output.entries.toLocaleString('en-GB');
    return `${output.reference} is in ${output.directory}: ${count} entries, ${formatBytes(output.bytes)}, every chunk checked\n`;
  });
}
