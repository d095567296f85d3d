import { keyGrowInputSchema } from '../../contract/operations/keys.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { growKey } from '../../operations/keys/grow-key.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { sizeOption } from './key-words.ts';

/** `imprint key grow KEY`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const size = sizeOption(invocation.text('size'));
  const input = parseInput(keyGrowInputSchema, {
    key: invocation.argument(0),
    ...(size === undefined ? {} : { size }),
  });
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would let ${input.key} use all of its room\n`);
    return;
  }
  const context = await session.context();
  const output = await session.task(`grow ${input.key}`, (task) => growKey(context, input, task));
  session.result(output, () =>
    output.after === output.before
      ? `${output.key} uses all of its room already: ${formatBytes(output.after)}\n`
      : `${output.key}: ${formatBytes(output.before)} became ${formatBytes(output.after)}\n`,
  );
}
