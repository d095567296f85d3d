import { trustPin } from '../../contract/operations/trust.ts';
import { pinTrust } from '../../operations/trust/pin-trust.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printFields } from '../print-table.ts';
import type { Session } from '../session.ts';
import { trustFields } from './trust-words.ts';

/** `imprint trust pin FILE`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const { dryRun } = session.globals;
  const input = parseInput(trustPin.input, { file: invocation.argument(0), dryRun });
  const output = await pinTrust(await session.context(), input);
  session.result(dryRun ? { dryRun, ...output } : output, () => {
    const fields = printFields(session.stdout, trustFields(session, output.current));
    return dryRun
      ? `${fields}\nwould be trusted from now on\n`
      : `${fields}\nis trusted from now on (${output.path})\n`;
  });
}
