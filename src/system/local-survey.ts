import { ImprintError } from '../foundation/errors.ts';
import { parseAnswers, surveyScript } from '../machine/golden-questions.ts';
import type { MachineAnswers } from '../machine/source-facts.ts';
import type { Processes } from './run.ts';

/**
 * Asks this machine what a golden machine is asked over ssh, for a capture of one of its directories. The answer `root` is the
 * directory's absolute path, symlinks resolved. Errors: `source-not-found`, `interrupted`.
 */
export async function askThisMachine(
  directory: string,
  processes: Processes,
  signal: AbortSignal,
): Promise<MachineAnswers> {
  const shell = processes.start('sh', ['-s', '--', directory], { input: surveyScript, signal });
  const parts: Buffer[] = [];
  for await (const part of shell.stdout) parts.push(Buffer.from(part));
  await shell.ended;
  const answers = parseAnswers(Buffer.concat(parts).toString('latin1'));
  if ((answers.get('root') ?? '').trim() === '') throw new ImprintError('source-not-found', { source: directory });
  return answers;
}
