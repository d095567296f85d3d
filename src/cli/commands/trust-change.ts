import { trustChange } from '../../contract/operations/trust.ts';
import { changeTrust } from '../../operations/trust/change-trust.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printFields } from '../print-table.ts';
import type { Session } from '../session.ts';
import { numberOption, pendingWords, trustFields } from './trust-words.ts';

/** `imprint trust change [OPTION…]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const { dryRun } = session.globals;
  const rootThreshold = numberOption(invocation, 'rootThreshold', '--root-threshold');
  const releaseThreshold = numberOption(invocation, 'releaseThreshold', '--release-threshold');
  const expires = invocation.text('expires');
  const input = parseInput(trustChange.input, {
    addRoot: invocation.list('addRoot'),
    removeRoot: invocation.list('removeRoot'),
    addRelease: invocation.list('addRelease'),
    removeRelease: invocation.list('removeRelease'),
    keys: invocation.list('key'),
    dryRun,
    ...(rootThreshold === undefined ? {} : { rootThreshold }),
    ...(releaseThreshold === undefined ? {} : { releaseThreshold }),
    ...(expires === undefined ? {} : { expires }),
  });
  const output = await changeTrust(await session.context(), input);
  session.result(dryRun ? { dryRun, ...output } : output, () => {
    const fields = printFields(session.stdout, trustFields(session, output.pending.document));
    const complete = output.pending.missing.length === 0;
    if (dryRun) return `${fields}\nwould be ${complete ? 'published' : 'left waiting for signatures'}\n`;
    return `${fields}\n${pendingWords(session, output.pending, output.published)}`;
  });
}
