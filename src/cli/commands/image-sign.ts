import { imageSign } from '../../contract/operations/images.ts';
import { showVersion } from '../../operations/list-versions.ts';
import { signVersion } from '../../operations/trust/sign-version.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint image sign REF`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const reference = invocation.argument(0);
  const input = parseInput(imageSign.input, {
    reference,
    keys: invocation.list('key'),
    signatures: invocation.list('signature'),
  });
  const context = await session.context();
  const listing = session.globals.dryRun
    ? await showVersion(context, { reference })
    : await signVersion(context, input);
  const name = `${listing.record.image}:${listing.record.number}`;
  const keys = listing.signers ?? [listing.signedBy ?? '?'];
  session.result(listing, () =>
    session.globals.dryRun
      ? `would sign ${name}\n`
      : `${name} is signed with ${keys.length === 1 ? 'key' : 'keys'} ${keys.join(', ')}\n`,
  );
}
