import { ImprintError } from '../foundation/errors.ts';
import { isAtWork, type MachineRecord, nextMachine } from '../machine/machine-state.ts';
import { changing } from './changing.ts';
import type { Context } from './context.ts';

/** How long an installing machine may say nothing, in milliseconds, before that is worth telling; and one that updates, which restarts. */
const patience = { installing: 60_000, updating: 600_000 };

/**
 * Notes which machines in mid-install or mid-update have fallen silent: pulled out, switched off, cut off. Their orders stand. The
 * server calls this every few seconds.
 */
export async function noteSilence(context: Context): Promise<void> {
  const now = context.clock.now();
  const isSilent = ({ state, lastSeen, problem }: MachineRecord) =>
    isAtWork(state) &&
    !problem &&
    (lastSeen ?? 0) < now - (state === 'installing' ? patience.installing : patience.updating);
  const machines = await (await context.database()).machines.all();
  if (!machines.some(isSilent)) return;
  await changing(context, async (change) => {
    for (const machine of await change.machines.all()) {
      if (!isSilent(machine)) continue;
      const since = new Date(machine.lastSeen ?? 0).toISOString().slice(11, 19);
      const code = machine.state === 'installing' ? 'machine-silent' : 'agent-silent';
      const error = new ImprintError(code, { machine: machine.name, since: `${since} UTC` }).toValue();
      const task = machine.order?.id ?? machine.update?.id;
      if (task !== undefined) await change.say(task, { kind: 'warning', message: error.message });
      const { message, hint } = error;
      const problem = { code, message, hint, time: change.time };
      await change.save(machine.name, nextMachine(machine, { kind: 'silent', problem }));
    }
  });
}
