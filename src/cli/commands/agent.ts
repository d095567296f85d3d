import { ImprintError } from '../../foundation/errors.ts';
import type { Invocation } from '../command.ts';
import type { Session } from '../session.ts';

/** `imprint agent`: until it is told to end. */
export async function run(session: Session, _invocation: Invocation): Promise<void> {
  if (process.getuid?.() !== 0) throw new ImprintError('not-root', { action: 'Running the agent' });
  if (session.globals.dryRun) {
    session.result({ dryRun: true }, () => 'would run the agent\n');
    return;
  }
  session.endsByInterrupt = true;
  await session.entries.agent(session.signal);
}
