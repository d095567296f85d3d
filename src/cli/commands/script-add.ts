import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { scriptAdd } from '../../contract/operations/scripts.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { describeAudience, scriptProblem } from '../../machine/scripts.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import { readAudience, readPhase } from './script-words.ts';

/** `imprint script add PHASE FILE`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const file = invocation.argument(1);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ImprintError('input-invalid', { field: 'FILE', problem: `${file} cannot be read` }, { cause });
  });
  const name = invocation.text('name') ?? basename(file);
  const input = parseInput(scriptAdd.input, {
    phase: readPhase(invocation),
    name,
    for: readAudience(invocation),
    text,
  });
  const problem = scriptProblem(text);
  if (problem !== undefined) throw new ImprintError('script-invalid', { script: file, problem });
  if (text === '') session.warn(`${file} is empty: it takes away the script ${name} that is for more machines`);
  const what = `${input.phase} script ${name} for ${describeAudience(input.for)}`;
  if (session.globals.dryRun) {
    session.result({ dryRun: true, phase: input.phase, name, for: input.for }, () => `would keep the ${what}\n`);
    return;
  }
  const output = await callServer(session, scriptAdd, input);
  session.result(output, () => `${output.replaced ? 'replaced' : 'kept'} the ${what}\n`);
}
