import { machineForgetObjects, machineObjects } from '../../contract/operations/machines.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import type { Invocation } from '../command.ts';
import { formatAgo } from '../format-time.ts';
import { printTable } from '../print-table.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint machine object MACHINE`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const machine = invocation.argument(0);
  if (invocation.flag('forget')) return forget(session, machine);
  const output = await callServer(session, machineObjects, { machine });
  session.result(output, () => {
    if (output.objects.length === 0) return `the server keeps nothing of ${output.machine}\n`;
    return printTable(
      session.stdout,
      [{ title: 'NUMBER' }, { title: 'MADE' }, { title: 'ENTRIES' }, { title: 'SIZE' }, { title: 'DIGEST' }],
      output.objects.map(({ number, received, files, bytes, digest }) => [
        String(number),
        formatAgo(received, session.clock.now()),
        String(files),
        formatBytes(bytes),
        session.stdout.paint('dim', digest.slice(0, 12)),
      ]),
    );
  });
}

async function forget(session: Session, machine: string): Promise<void> {
  if (session.globals.dryRun) {
    const output = await callServer(session, machineObjects, { machine });
    const forgotten = output.objects.length;
    session.result({ dryRun: true, machine: output.machine, forgotten }, () => `would forget ${forgotten} objects\n`);
    return;
  }
  await session.confirm(
    `Forgetting what makes ${machine} itself`,
    `Forget what the server keeps of ${machine}? Its next install begins anew.`,
  );
  const output = await callServer(session, machineForgetObjects, { machine });
  session.result(output, () => `forgot ${output.forgotten} objects of ${output.machine}\n`);
}
