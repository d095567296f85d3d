import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { fakeProcesses } from '../../tests/fake-processes.ts';
import { renewAddress } from './renew-address.ts';

let directory: string;
let file: string;
/** Signals that were sent: `PID NAME`. */
let sent: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'imprint-address-'));
  file = join(directory, 'address');
  sent = [];
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
});

/** A client whose server answers with this address once it is asked, after so many looks. */
function client(address: string, after = 0) {
  vi.spyOn(process, 'kill').mockImplementation((id, signal) => {
    sent.push(`${id} ${signal}`);
    return true;
  });
  let slept = 0;
  const clock = {
    now: () => slept,
    sleep: async (milliseconds: number) => {
      slept += milliseconds;
      if (slept > 1000 + after && sent.at(-1)?.endsWith('SIGUSR1')) await writeFile(file, `eth0 ${address}/24\n`);
    },
  };
  return { clock, processes: fakeProcesses((command) => (command === 'pidof udhcpc' ? '71 72\n' : undefined)) };
}

test('who has the address already is not asked anything', async () => {
  await writeFile(file, 'eth0 10.0.0.5/24\n');
  const { processes, clock } = client('10.0.0.5');
  expect(await renewAddress(processes, clock, { file, wanted: '10.0.0.5' })).toBe(true);
  expect(processes.commands).toEqual([]);
});

test('the client gives back what it has, asks anew, and is waited for', async () => {
  await writeFile(file, 'eth0 10.0.0.99/24\n');
  const { processes, clock } = client('10.0.0.5', 9000);
  expect(await renewAddress(processes, clock, { file, wanted: '10.0.0.5' })).toBe(true);
  expect(sent).toEqual(['71 SIGUSR2', '72 SIGUSR2', '71 SIGUSR1', '72 SIGUSR1']);
  expect(clock.now()).toBeGreaterThan(9000);
});

test('another address than the wanted one, or none, is no reason to wait for ever', async () => {
  const { processes, clock } = client('10.0.0.55');
  expect(await renewAddress(processes, clock, { file, wanted: '10.0.0.5' })).toBe(false);
  expect(clock.now()).toBeLessThan(20_000);
});

test('a machine with a fixed address has no client that could be asked', async () => {
  const { clock } = client('10.0.0.5');
  const processes = fakeProcesses(() => ({ status: 1 }));
  expect(await renewAddress(processes, clock, { file, wanted: '10.0.0.5' })).toBe(false);
  expect(sent).toEqual([]);
});
