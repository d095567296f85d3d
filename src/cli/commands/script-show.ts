import { scriptShow } from '../../contract/operations/scripts.ts';
import type { Invocation } from '../command.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import { audienceWord, readAudience, readPhase } from './script-words.ts';

/** `imprint script show PHASE NAME`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const audience = audienceWord(readAudience(invocation));
  const input = { phase: readPhase(invocation), name: invocation.argument(1), audience };
  const script = await callServer(session, scriptShow, input);
  session.result(script, () => script.text);
}
