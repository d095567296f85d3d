import { expect, test } from 'vitest';
import { fakeProcesses } from '../../tests/fake-processes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { restartServices } from './running-services.ts';

test('a service that does not come to an end of its restart keeps no other from it', async () => {
  const processes = fakeProcesses((command) =>
    command.includes('slow.service') ? new ImprintError('internal', { problem: 'no end' }) : undefined,
  );
  const problems = await restartServices(processes, ['slow.service', 'other.service']);
  expect(problems).toEqual([expect.stringContaining('no end')]);
  expect(processes.commands).toEqual([
    'systemctl daemon-reload',
    'systemctl try-restart slow.service',
    'systemctl try-restart other.service',
  ]);
});

test('a service that has failed since is started again where it is to run as before', async () => {
  const processes = fakeProcesses(() => undefined);
  expect(await restartServices(processes, ['nginx.service'], { stopped: true })).toEqual([]);
  expect(processes.commands).toEqual([
    'systemctl daemon-reload',
    'systemctl reset-failed nginx.service',
    'systemctl restart nginx.service',
  ]);
});
