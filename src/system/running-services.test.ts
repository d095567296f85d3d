import { expect, test } from 'vitest';
import { ImprintError } from '../foundation/errors.ts';
import type { Processes } from './run.ts';
import { restartServices } from './running-services.ts';

test('a service that does not come to an end of its restart keeps no other from it', async () => {
  const asked: string[] = [];
  const run = async (_command: string, args: readonly string[]) => {
    asked.push(args.join(' '));
    if (args.includes('slow.service')) throw new ImprintError('internal', { problem: 'no end' });
    return { status: 0, stdout: '', stderr: '' };
  };
  const processes = { run } as unknown as Processes;
  const problems = await restartServices(processes, ['slow.service', 'other.service']);
  expect(problems).toEqual([expect.stringContaining('no end')]);
  expect(asked).toEqual(['daemon-reload', 'try-restart slow.service', 'try-restart other.service']);
});
