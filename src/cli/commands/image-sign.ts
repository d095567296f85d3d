import { showVersion } from '../../operations/list-versions.ts';
import { signVersion } from '../../operations/tag-version.ts';
import type { Invocation } from '../command.ts';
import type { Session } from '../session.ts';

/** `imprint image sign REF`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const reference = invocation.argument(0);
  const context = await session.context();
  const listing = session.globals.dryRun
    ? await showVersion(context, { reference })
    : await signVersion(context, { reference });
  const name = `${listing.record.image}:${listing.record.number}`;
  session.result(listing, () =>
    session.globals.dryRun ? `would sign ${name}\n` : `${name} is signed with key ${listing.signedBy ?? '?'}\n`,
  );
}
