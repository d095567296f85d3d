import { expect, it } from 'vitest';
import { fakeProcesses } from '../../../tests/fake-processes.ts';
import { systemClock } from '../../foundation/clock.ts';
import { parseAgentSettings } from '../../machine/agent-settings.ts';
import type { Processes } from '../../system/run.ts';
import { checkHealth, type HealthCheck } from './health-checks.ts';
import { type ProvenMachine, proveHealth } from './prove-health.ts';

/** systemd that says what it is told to. */
function systemd(says: { state?: string; failed?: string[]; active?: string[] }): Processes {
  const { state = 'running', failed = [], active = [] } = says;
  const run: Processes['run'] = async (_tool, args) => {
    const stdout =
      args[0] === 'is-system-running'
        ? state
        : args[0] === 'list-units'
          ? failed.map((unit) => `${unit} loaded failed failed x\n`).join('')
          : active.includes(args[1] ?? '')
            ? 'active\n'
            : 'inactive\n';
    return { stdout, stderr: '', status: 0 };
  };
  return { ...fakeProcesses(), run };
}
const check = (says: Parameters<typeof systemd>[0], text = '', more: Partial<HealthCheck> = {}) =>
  checkHealth({
    ...{ processes: systemd(says), root: '/nowhere', failedBefore: [], settings: parseAgentSettings(text).health },
    ...more,
  });

it.each<[string, Parameters<typeof check>, RegExp | undefined]>([
  ['all is well', [{}], undefined],
  [
    'degraded by nothing new',
    [{ state: 'degraded', failed: ['old.service'] }, '', { failedBefore: ['old.service'] }],
    undefined,
  ],
  ['a unit that failed', [{ state: 'degraded', failed: ['new.service'] }], /failed: new\.service/],
  [
    'any failed unit, where that is asked',
    [{ failed: ['old.service'] }, 'health: { failedUnits: any }', { failedBefore: ['old.service'] }],
    /old/,
  ],
  ['no failed unit, where that is asked', [{ failed: ['new.service'] }, 'health: { failedUnits: none }'], undefined],
  ['a system that starts still', [{ state: 'starting' }], /“starting”/],
  ['a system in rescue', [{ state: 'maintenance' }], /“maintenance”/],
  ['a unit that must be active and is', [{ active: ['ssh.service'] }, 'health: { units: [ssh.service] }'], undefined],
  ['a unit that must be active and is not', [{}, 'health: { units: [ssh.service] }'], /ssh\.service is inactive/],
  ['a server that answered', [{}, '', { serverReached: async () => true }], undefined],
  ['a server that did not', [{}, '', { serverReached: async () => false }], /server was not reached/],
  ['a server that matters not', [{}, 'health: { server: false }', { serverReached: async () => false }], undefined],
  ['a URL that nobody answers', [{}, 'health: { http: ["http://127.0.0.1:1/"] }'], /127\.0\.0\.1:1/],
])('%s', async (_, args, problem) => {
  const { problems } = await check(...args);
  if (problem === undefined) expect(problems).toEqual([]);
  else expect(problems.join()).toMatch(problem);
});

it('gives each check its patience once the system is up, and all of it its time', async () => {
  const machine = (says: Parameters<typeof systemd>[0], text: string): ProvenMachine => ({
    ...{ processes: systemd(says), root: '/nowhere', settings: parseAgentSettings(text) },
    clock: { now: systemClock.now, sleep: () => systemClock.sleep(5) },
  });
  const { signal } = new AbortController();
  const proof = { failedBefore: [], signal, since: Date.now() };
  const failing = machine({ failed: ['x.service'] }, 'health: { patience: 0.05, timeout: 5m }');
  expect((await proveHealth(failing, proof)).problems).toEqual(['failed: x.service']);
  const slow = machine({ state: 'starting' }, 'health: { patience: 1, timeout: 0.05 }');
  expect((await proveHealth(slow, proof)).starting).toBe(true);
  let asked = 0;
  const late = {
    ...proof,
    serverReached: async () => {
      asked += 1;
      return asked > 3;
    },
  };
  expect((await proveHealth(machine({}, ''), late)).problems).toEqual([]);
});
