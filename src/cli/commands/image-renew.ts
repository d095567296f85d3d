import { imageRenew } from '../../contract/operations/trust.ts';
import { renewVersion } from '../../operations/trust/renew-version.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { numberOption } from './trust-words.ts';

/** `imprint image renew REF`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const expires = invocation.text('expires');
  const floor = numberOption(invocation, 'floor', '--floor');
  const tag = invocation.text('tag');
  const message = invocation.text('message');
  const input = parseInput(imageRenew.input, {
    reference: invocation.argument(0),
    ...(expires === undefined ? {} : { expires }),
    ...(floor === undefined ? {} : { floor }),
    ...(tag === undefined ? {} : { tag }),
    ...(message === undefined ? {} : { message }),
  });
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would make a new version as ${input.reference} is\n`);
    return;
  }
  const context = await session.context();
  const output = await session.task(`renew ${input.reference}`, (task) => renewVersion(context, input, task));
  const { record } = output;
  session.result(output, () => {
    const until = record.expires === undefined ? '' : `, good until ${record.expires}`;
    const floorWords =
      record.floor === undefined ? '' : `; nothing below ${record.image}:${record.floor} is to be used`;
    return `${record.image}:${record.number} is as ${output.renewed} was${until}${floorWords}\n`;
  });
}
