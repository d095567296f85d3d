import { machineList, machineRemove } from '../../contract/operations/machines.ts';
import type { Invocation } from '../command.ts';
import { listNames } from '../list-names.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint machine rm MACHINE…`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const machines = invocation.argumentList(0).join(',');
  const found = (await callServer(session, machineList, { machines })).machines.map(({ name }) => name);
  if (session.globals.dryRun) {
    session.result({ dryRun: true, removed: found }, () => `would forget ${listNames(found)}\n`);
    return;
  }
  await session.confirm(`Forgetting ${listNames(found)}`, `Forget ${listNames(found)}? The disks are not touched.`);
  const output = await callServer(session, machineRemove, {
    machines,
    ...(invocation.flag('force') ? { force: true } : {}),
  });
  session.result(output, () => `forgot ${listNames(output.removed)}\n`);
}
