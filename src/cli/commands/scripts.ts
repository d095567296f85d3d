import { scriptList } from '../../contract/operations/scripts.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { describeAudience } from '../../machine/scripts.ts';
import type { Invocation } from '../command.ts';
import { formatAgo } from '../format-time.ts';
import { printTable } from '../print-table.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint scripts [MACHINE]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const machine = invocation.optionalArgument(0);
  const output = await callServer(session, scriptList, machine === undefined ? {} : { machine });
  for (const path of output.passedOver) session.warn(`passed over: ${path} is no place, or no name, of a script`);
  session.result(output, () => {
    if (output.scripts.length === 0)
      return `the server has no scripts${machine === undefined ? '' : ` for ${machine}`}\n`;
    return printTable(
      session.stdout,
      [
        { title: 'PHASE' },
        { title: 'NAME', shrink: true },
        { title: 'FOR' },
        { title: 'SIZE', align: 'right' },
        { title: 'CHANGED' },
      ],
      output.scripts.map(({ phase, name, for: audience, bytes, changed }) => [
        phase,
        name,
        describeAudience(audience),
        bytes === 0 ? 'takes away' : formatBytes(bytes),
        formatAgo(changed, session.clock.now()),
      ]),
    );
  });
}
