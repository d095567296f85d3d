import { imageTag } from '../../contract/operations/images.ts';
import { tagVersion } from '../../operations/tag-version.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';

/** `imprint image tag REF TAG`, `imprint image tag --delete IMAGE TAG`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const tag = invocation.argument(1);
  const remove = invocation.flag('delete');
  const input = parseInput(imageTag.input, { reference: invocation.argument(0), tag, remove });
  if (session.globals.dryRun) {
    const words = remove
      ? `would take the tag ${tag} away from ${input.reference}`
      : `would let ${tag} name ${input.reference}`;
    session.result({ dryRun: true, ...input }, () => `${words}\n`);
    return;
  }
  const listing = await tagVersion(await session.context(), input);
  const { image, number } = listing.record;
  session.result(listing, () =>
    remove ? `${image} has no tag ${tag} any longer\n` : `${image}:${tag} is version ${number} now\n`,
  );
}
