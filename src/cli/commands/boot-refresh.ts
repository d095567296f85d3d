import { refreshBoot } from '../../operations/update/refresh-boot.ts';
import { lookAtMachine } from '../../operations/update/this-machine.ts';
import type { Invocation } from '../command.ts';
import type { Session } from '../session.ts';
import { thisMachine } from '../this-machine.ts';

/** `imprint boot refresh`. */
export async function run(session: Session, _invocation: Invocation): Promise<void> {
  const machine = await thisMachine(session, 'Bringing a kernel to the boot partition');
  if (session.globals.dryRun) {
    const { running } = await lookAtMachine(machine);
    session.result(
      { dryRun: true, entry: running?.id ?? null },
      () => 'would bring the newest kernel of /boot to the boot partition\n',
    );
    return;
  }
  const output = await session.task('refresh', (task) => refreshBoot(machine, task));
  const { kind, kernel, entry, removed } = output;
  const gone = removed.map((id) => `${id} went: the modules of its kernel are gone\n`).join('');
  const words = {
    current: `Linux ${kernel} boots already\n`,
    'only-removed': `Linux ${kernel} boots already\n`,
    staged: `Linux ${kernel} boots on trial at the next restart\n`,
    later: `Linux ${kernel} is not what boots next: ${entry} waits for the restart. After it: imprint boot refresh\n`,
  };
  session.result(output, () => gone + words[kind]);
}
