import { revertOrder } from '../../contract/operations/updates.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { entryBefore, revertMachine } from '../../operations/update/revert-machine.ts';
import { lookAtMachine } from '../../operations/update/this-machine.ts';
import { updateMachine } from '../../operations/update/update-machine.ts';
import type { Invocation } from '../command.ts';
import { followOrders } from '../follow-orders.ts';
import { parseInput } from '../parse-input.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import { concludeUpdate, thisMachine, updateSurroundings } from '../this-machine.ts';
import { readUpdateOptions } from '../update-options.ts';

/** `imprint revert [MACHINE…] [--to REF]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const range = invocation.argumentList(0).join(',');
  const to = invocation.text('to');
  const options = readUpdateOptions(invocation);
  if (range !== '') {
    const input = parseInput(revertOrder.input, {
      machines: range,
      ...(to === undefined ? {} : { to }),
      ...(Object.keys(options).length > 0 ? { options } : {}),
    });
    if (session.globals.dryRun) {
      session.result({ dryRun: true, ...input }, () => `would order ${range} back to ${to ?? 'the version before'}\n`);
      return;
    }
    const { orders } = await callServer(session, revertOrder, input);
    return followOrders(session, orders, { verb: 'revert', wait: invocation.flag('wait') });
  }
  if (invocation.flag('wait')) {
    throw new ImprintError('usage', {
      problem: '--wait is for machines of the server.',
      hint: 'Name them: imprint revert MACHINE',
    });
  }
  const machine = await thisMachine(session, 'Reverting this machine');
  if (session.globals.dryRun) {
    const entry = to ?? entryBefore(await lookAtMachine(machine))?.id;
    session.result(
      { dryRun: true, to: entry ?? null },
      () => `would go back to ${entry ?? 'nothing: there is no version before'}\n`,
    );
    return;
  }
  const surroundings = await updateSurroundings(session);
  const outcome = await session.task('revert', async (task) => {
    const { order } = surroundings;
    const request = { options, ...(to === undefined ? {} : { to }), ...(order === undefined ? {} : { order }) };
    const reverted = await revertMachine(machine, request, task);
    if (reverted !== undefined || to === undefined) return reverted;
    task.log(`${to.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]+$/, '$1…')} is in no slot; it is fetched`);
    return updateMachine(machine, { ...surroundings, image: to, options }, task);
  });
  if (outcome !== undefined) await concludeUpdate(session, outcome);
}
