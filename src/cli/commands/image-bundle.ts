import { imageBundle } from '../../contract/operations/bundles.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { bundleImage } from '../../operations/update/bundle-image.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint image bundle FROM TO`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(imageBundle.input, { from: invocation.argument(0), to: invocation.argument(1) });
  const context = await session.context();
  const output = await session.task(`bundle ${input.from} to ${input.to}`, (task) => bundleImage(context, input, task));
  session.result(output, () => {
    const size = `${formatBytes(output.bytes)} from ${output.from} to ${output.to}`;
    if (!output.made) return `is there already: ${size}\n`;
    return `${size}, for ${formatBytes(output.contentBytes ?? 0)} of new content\n`;
  });
}
