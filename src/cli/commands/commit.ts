import { commitMachine } from '../../operations/update/commit-machine.ts';
import { lookAtMachine } from '../../operations/update/this-machine.ts';
import type { Invocation } from '../command.ts';
import type { Session } from '../session.ts';
import { thisMachine } from '../this-machine.ts';

/** `imprint commit`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const machine = await thisMachine(session, 'Committing a version');
  if (session.globals.dryRun) {
    const { running } = await lookAtMachine(machine);
    session.result(
      { dryRun: true, entry: running?.id ?? null },
      () => `would keep ${running?.reference ?? 'nothing'}\n`,
    );
    return;
  }
  const force = invocation.flag('force');
  const output = await session.task('commit', (task) => commitMachine(machine, { force }, task));
  session.result(output, () => `${output.reference} boots from now on\n`);
}
