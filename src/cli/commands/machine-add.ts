import { machineAdd } from '../../contract/operations/machines.ts';
import type { Invocation } from '../command.ts';
import { readNewInstallOptions } from '../install-options.ts';
import { parseInput } from '../parse-input.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import { machineTable } from './machines.ts';

/** `imprint machine add RANGE`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const macs = invocation.list('mac');
  const address = invocation.text('address');
  const image = invocation.text('image');
  const groups = invocation.list('group');
  const options = readNewInstallOptions(invocation);
  const input = parseInput(machineAdd.input, {
    machines: invocation.argument(0),
    ...(macs.length > 0 ? { macs } : {}),
    ...(address === undefined ? {} : { address }),
    ...(image === undefined ? {} : { image }),
    ...(groups.length > 0 ? { groups } : {}),
    ...(Object.keys(options).length > 0 ? { options } : {}),
  });
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would register ${input.machines}\n`);
    return;
  }
  const output = await callServer(session, machineAdd, input);
  session.result(output, () => machineTable(session, output.machines));
}
