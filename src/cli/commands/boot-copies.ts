import { bootCopyList } from '../../contract/operations/boot-copies.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { diskWords } from '../../machine/boot-copy-words.ts';
import type { Invocation } from '../command.ts';
import { formatAgo } from '../format-time.ts';
import { printTable } from '../print-table.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint boot copies MACHINE`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const output = await callServer(session, bootCopyList, { machine: invocation.argument(0) });
  session.result(output, () => {
    if (output.copies.length === 0) return `the server keeps no safety copy of ${output.machine}\n`;
    return printTable(
      session.stdout,
      [{ title: 'COPY' }, { title: 'MADE' }, { title: 'SIZE', align: 'right' }, { title: 'DISK', shrink: true }],
      output.copies.map(({ number, created, bytes, disk }) => [
        String(number),
        formatAgo(Date.parse(created), session.clock.now()),
        formatBytes(bytes),
        diskWords(disk),
      ]),
    );
  });
}
