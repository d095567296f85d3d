import { expect, test } from 'vitest';
import { fakeProcesses } from '../../../tests/fake-processes.ts';
import { planRestart } from './restart-into.ts';
import type { ThisMachine } from './this-machine.ts';

const processes = fakeProcesses((command) => {
  if (command === 'uname -r') return '6.12.1-amd64\n';
  return command.startsWith('systemctl show') ? '257.9\n' : undefined;
});
const wish = {
  asked: 'soft',
  inPlace: true,
  reasons: ['systemd is another one'],
  kernelVersion: '6.12.1-amd64',
} as const;

test('another build of the kernel that runs is started, not passed over softly, though its version is the same', async () => {
  const machine = { processes } as Pick<ThisMachine, 'processes'>;
  expect(await planRestart(machine, wish)).toEqual({ method: 'soft', remarks: [] });
  expect(await planRestart(machine, { ...wish, kernelFileChanged: true })).toEqual({
    method: 'full',
    remarks: [expect.stringContaining('another one')],
  });
});
