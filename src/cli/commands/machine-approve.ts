import { machineApprove } from '../../contract/operations/machines.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import { machineTable } from './machines.ts';

/** `imprint machine approve MACHINE --name NAME`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const image = invocation.text('image');
  const address = invocation.text('address');
  const input = parseInput(machineApprove.input, {
    machine: invocation.argument(0),
    name: invocation.text('name') ?? '',
    ...(image === undefined ? {} : { image }),
    ...(address === undefined ? {} : { address }),
  });
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would name ${input.machine} ${input.name}\n`);
    return;
  }
  const machine = await callServer(session, machineApprove, input);
  session.result(machine, () => machineTable(session, [machine]));
}
