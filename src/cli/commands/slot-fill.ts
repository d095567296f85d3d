import { slotFill } from '../../contract/operations/updates.ts';
import { fillSystem, planSystem } from '../../operations/update/fill-system.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import type { Session } from '../session.ts';
import { thisMachine, updateSurroundings } from '../this-machine.ts';
import { readRate } from '../update-options.ts';

/** `imprint slot fill IMAGE [--slot NAME]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const [slot, rate] = [invocation.text('slot'), invocation.text('rate')];
  const input = parseInput(slotFill.input, {
    image: invocation.argument(0),
    ...(slot === undefined ? {} : { slot }),
    ...(rate === undefined ? {} : { rate: readRate(rate) }),
  });
  const machine = await thisMachine(session, 'Filling a slot');
  const { order: _, ...surroundings } = await updateSurroundings(session);
  const request = { ...surroundings, ...input };
  if (session.globals.dryRun) {
    const plan = await session.task('plan', (task) => planSystem(machine, request, task));
    session.result({ dryRun: true, ...plan }, () => `would put ${plan.reference} into the slot ${plan.slot}\n`);
    return;
  }
  const filled = await session.task('fill a slot', (task) => fillSystem(machine, request, task));
  const { version, slot: place, system, fetched } = filled;
  session.result(filled, () =>
    [
      `fetched ${fetched.bytes.toLocaleString('en-GB')} bytes in ${fetched.requests} requests`,
      `${version.reference} is in the slot ${place} and in the boot menu; once: imprint boot next ${system}`,
      '',
    ].join('\n'),
  );
}
