import { trustSign } from '../../contract/operations/trust.ts';
import { signTrust } from '../../operations/trust/sign-trust.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printFields } from '../print-table.ts';
import type { Session } from '../session.ts';
import { pendingWords, trustFields } from './trust-words.ts';

/** `imprint trust sign [FILE]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const file = invocation.optionalArgument(0);
  const { dryRun } = session.globals;
  const input = parseInput(trustSign.input, {
    ...(file === undefined ? {} : { file }),
    keys: invocation.list('key'),
    signatures: invocation.list('signature'),
    dryRun,
  });
  const output = await signTrust(await session.context(), input);
  const { pending, published } = output;
  session.result(dryRun ? { dryRun, ...output } : output, () => {
    const fields = printFields(session.stdout, trustFields(session, pending.document));
    if (dryRun) return `${fields}\nwould be signed by ${pending.signedBy.join(', ') || 'nobody'}\n`;
    if (file === undefined) return `${fields}\n${pendingWords(session, pending, published)}`;
    return `${fields}\n${pending.signaturePath} holds signatures of ${pending.signedBy.join(', ') || 'nobody'}\n`;
  });
}
