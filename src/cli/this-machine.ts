import { ImprintError } from '../foundation/errors.ts';
import { runningAgentProgram } from '../operations/install/agent-program.ts';
import { findThisMachine, type ThisMachine } from '../operations/update/this-machine.ts';
import type { UpdateOutcome } from '../operations/update/update-outcome.ts';
import { systemProcesses } from '../system/run.ts';
import type { Session } from './session.ts';

/** The agent that carries out an order names it to the command that it runs. */
export const orderVariable = 'IMPRINT_ORDER';
/** The agent wants to tell the server before the machine goes down. */
const tellPatience = 4000;

/** The machine that this command runs on. Errors: `not-root`, `boot-partition-missing`, `input-invalid`. */
export async function thisMachine(session: Session, action: string): Promise<ThisMachine> {
  if (process.getuid?.() !== 0) throw new ImprintError('not-root', { action });
  return findThisMachine({ processes: systemProcesses, clock: session.clock });
}

/** What every update and revert here is done with: order, store, trust, and the agent that goes along. */
export async function updateSurroundings(session: Session) {
  const { store, trust } = session.globals;
  const order = session.environment[orderVariable];
  const agent = await runningAgentProgram();
  return {
    ...(order === undefined || order === '' ? {} : { order }),
    ...(store === undefined ? {} : { store }),
    ...(trust === undefined ? {} : { trust }),
    ...(agent === undefined ? {} : { agent }),
  };
}

/** Prints the result and restarts as it says, after asking where somebody can be asked. */
export async function concludeUpdate(session: Session, { result, restart }: UpdateOutcome): Promise<void> {
  session.result(result, () => outcomeText(result));
  if (result.reboot.method === 'none') return;
  if (session.canAsk && !session.globals.yes) {
    const { ask } = await import('./ask.ts');
    if (!(await ask('Restart now?', session.stderr, session.signal))) {
      session.say(`${result.to.reference} boots at the next restart.`);
      return;
    }
  }
  if (session.environment[orderVariable]) await session.clock.sleep(tellPatience, session.signal);
  await restart((message) => session.say(message));
}

function outcomeText({ kind, to, slot, reboot, fetched, services }: UpdateOutcome['result']): string {
  const lines = [
    ...(fetched === undefined
      ? []
      : [`fetched ${fetched.bytes.toLocaleString('en-GB')} bytes in ${fetched.requests} requests`]),
    ...(services === undefined || services.length === 0
      ? []
      : [`services whose files changed: ${services.join(', ')}`]),
    kind === 'current'
      ? `${to.reference} runs already`
      : kind === 'done'
        ? `${to.reference} runs`
        : `${to.reference} is in the slot ${slot} and boots ${reboot.method === 'none' ? 'at the next restart' : 'now'}`,
    ...(reboot.method === 'none' ? [] : [`restarting (${reboot.method}): ${reboot.reasons.join('; ')}`]),
  ];
  return lines.map((line) => `${line}\n`).join('');
}
