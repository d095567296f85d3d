import { scriptRemove } from '../../contract/operations/scripts.ts';
import { describeAudience } from '../../machine/scripts.ts';
import type { Invocation } from '../command.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import { readAudience, readPhase } from './script-words.ts';

/** `imprint script rm PHASE NAME`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const input = { phase: readPhase(invocation), name: invocation.argument(1), for: readAudience(invocation) };
  const what = `${input.phase} script ${input.name} for ${describeAudience(input.for)}`;
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would forget the ${what}\n`);
    return;
  }
  const output = await callServer(session, scriptRemove, input);
  session.result(output, () => `forgot the ${what}\n`);
}
