import { trustKey } from '../../contract/operations/trust.ts';
import { createKey } from '../../operations/trust/create-key.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint trust key PATH`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = parseInput(trustKey.input, { path: invocation.argument(0) });
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would make ${input.path}.key and ${input.path}.pub\n`);
    return;
  }
  const output = await createKey(input);
  session.result(
    output,
    () => `key ${output.id}: ${output.key} (keep it secret, keep a copy) and ${output.publicKey}\n`,
  );
}
