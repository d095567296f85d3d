import { showTrust } from '../../operations/trust/show-trust.ts';
import type { Invocation } from '../command.ts';
import { formatDate } from '../format-time.ts';
import { printFields } from '../print-table.ts';
import type { Session } from '../session.ts';
import { pendingWords, trustFields } from './trust-words.ts';

/** `imprint trust show`. */
export async function run(session: Session, _invocation: Invocation): Promise<void> {
  const output = await showTrust(await session.context());
  session.result(output, () => {
    if (output.current === undefined)
      return 'Nobody is trusted here: versions of a local store are used as they are, those behind HTTP not at all.\n';
    const seen = output.seen.map(
      ({ image, number, floor, expires }) =>
        `${image}:${number}, nothing below ${image}:${floor}` +
        (expires === undefined ? '' : `, good until ${formatDate(Date.parse(expires))}`),
    );
    const fields = printFields(session.stdout, [
      ['from', `${output.start}${output.chosen ? '' : ' (this server’s own key)'}`],
      ...trustFields(session, output.current),
      ['seen', seen.join('\n')],
    ]);
    return output.pending === undefined ? fields : `${fields}\n${pendingWords(session, output.pending, false)}`;
  });
}
