import { ImprintError } from '../foundation/errors.ts';
import { nextMachine } from '../machine/machine-state.ts';
import { changing } from './changing.ts';
import type { Context } from './context.ts';

/** How long an installing machine may say nothing, in milliseconds, before that is worth telling. */
const patience = 60_000;

/**
 * Notes which machines in mid-install have fallen silent: pulled out, switched off, cut off. Their orders stand. The
 * server calls this every few seconds.
 */
export async function noteSilence(context: Context): Promise<void> {
  const before = context.clock.now() - patience;
  const isSilent = (heard: number | undefined) => (heard ?? 0) < before;
  const machines = await (await context.database()).machines.all();
  if (!machines.some(({ state, lastSeen, problem }) => state === 'installing' && !problem && isSilent(lastSeen)))
    return;
  await changing(context, async (change) => {
    for (const machine of await change.machines.all()) {
      if (machine.state !== 'installing' || machine.problem || !isSilent(machine.lastSeen)) continue;
      const since = new Date(machine.lastSeen ?? 0).toISOString().slice(11, 19);
      const error = new ImprintError('machine-silent', { machine: machine.name, since: `${since} UTC` }).toValue();
      if (machine.order) await change.say(machine.order.id, { kind: 'warning', message: error.message });
      const { code, message, hint } = error;
      const problem = { code, message, hint, time: change.time };
      await change.save(machine.name, nextMachine(machine, { kind: 'silent', problem }));
    }
  });
}
