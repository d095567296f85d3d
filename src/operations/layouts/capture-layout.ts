import type { z } from 'zod';
import type { SourceFacts } from '../../contract/image.ts';
import type { layoutCapture } from '../../contract/operations/layouts.ts';
import type { RawPath } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import { surveySource } from '../../machine/source-facts.ts';
import { askGolden } from '../../system/golden.ts';
import { askThisMachine } from '../../system/local-survey.ts';
import { openSsh } from '../../system/ssh.ts';
import { parseSshUrl, sshDestination } from '../../system/ssh-target.ts';
import type { Context } from '../context.ts';
import { capturedText, imageFacts } from './find-layout.ts';

type Input = z.output<typeof layoutCapture.input>;

/**
 * The layout of a machine that runs, or of an image's golden machine. Nothing is written there, and none of its content is read. Errors:
 * those of `layoutCapture`.
 */
export async function captureNamedLayout(
  context: Context,
  input: Input,
  task: Task,
): Promise<z.output<typeof layoutCapture.output>> {
  return { source: input.source, ...capturedText(await factsOf(context, input, task)) };
}

async function factsOf(context: Context, input: Input, task: Task): Promise<SourceFacts> {
  const { source, identity, sshOptions } = input;
  const root = '/' as RawPath;
  if (source === '/') {
    const answers = await task.part('look at this machine', (part) =>
      askThisMachine('/', context.processes, part.signal),
    );
    return surveySource(answers, 'this machine', root, false).facts;
  }
  if (!source.startsWith('ssh:')) return imageFacts(context, source);
  const target = parseSshUrl(source, identity, sshOptions);
  const host = sshDestination(target);
  await using connection = await task.part(`connect to ${host}`, (part) =>
    openSsh(target, context.processes, part.signal),
  );
  const golden = await task.part('look at the machine', () => askGolden(connection, '/'));
  return surveySource(golden.answers, `ssh://${host}`, root, false).facts;
}
