import { slotFree } from '../../contract/operations/updates.ts';
import { freeSlot, slotToFree } from '../../operations/update/free-slot.ts';
import { lookAtMachine } from '../../operations/update/this-machine.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { thisMachine } from '../this-machine.ts';

/** `imprint slot free SLOT`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const { slot } = parseInput(slotFree.input, { slot: invocation.argument(0) });
  const machine = await thisMachine(session, 'Giving a slot back');
  const planned = slotToFree(await lookAtMachine(machine), slot);
  const what = planned.references.length === 0 ? 'which holds nothing' : `with ${planned.references.join(', ')}`;
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...planned }, () => `would give back the slot ${slot}, ${what}\n`);
    return;
  }
  await session.confirm(`Giving back the slot ${slot}, ${what}`, 'Take it out of the boot menu?');
  const freed = await session.task('give a slot back', (task) => freeSlot(machine, slot, task));
  session.result(freed, () => `the slot ${slot} is spare\n`);
}
