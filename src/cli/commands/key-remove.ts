import { keyRemoveInputSchema } from '../../contract/operations/keys.ts';
import { removeIsos } from '../../operations/keys/remove-isos.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { freeWords } from './key-words.ts';

/** `imprint key remove KEY ISO…`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(keyRemoveInputSchema, {
    key: invocation.argument(0),
    isos: [...invocation.argumentList(1)],
  });
  const names = input.isos.join(', ');
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would take ${names} off ${input.key}\n`);
    return;
  }
  const context = await session.context();
  await session.confirm(`Taking ${names} off ${input.key}`, `Take ${names} off ${input.key}?`);
  const output = await session.task(`take ISO files off ${input.key}`, (task) => removeIsos(context, input, task));
  session.result(output, () => `${output.removed.join(', ')} gone; ${freeWords(output.free)}\n`);
}
