import { expect, it } from 'vitest';
import { ImprintError } from '../foundation/errors.ts';
import { parseAgentSettings, renderAgentSettings } from './agent-settings.ts';

it('has a default for everything', () => {
  for (const text of [undefined, '', '# nothing\n', renderAgentSettings({})]) {
    const { server, tries, health, reboot, carry, keep } = parseAgentSettings(text);
    expect({ server, tries, reboot, carry, keep }).toEqual({
      server: undefined,
      tries: 3,
      reboot: 'auto',
      carry: [],
      keep: [],
    });
    expect(health).toEqual({
      timeout: 600_000,
      patience: 60_000,
      units: [],
      failedUnits: 'new',
      http: [],
      server: true,
    });
  }
});

it('reads what an install writes', () => {
  expect(parseAgentSettings(renderAgentSettings({ server: 'http://10.0.0.1:4280' })).server).toBe(
    'http://10.0.0.1:4280',
  );
});

it('reads times and sizes as people write them', () => {
  const settings = parseAgentSettings('health: { timeout: 90s, units: [ssh.service] }\nrate: 10M\ncarry:\n');
  expect(settings.health.timeout).toBe(90_000);
  expect(settings.rate).toBe(10 * 1024 ** 2);
  expect(parseAgentSettings('health:\n  timeout: 45').health.timeout).toBe(45_000);
  expect(settings.carry).toEqual([]);
});

it.each([
  ['server: ftp://host', 'server'],
  ['tries: 0', 'tries'],
  ['health: { units: [ssh] }', 'health.units.0'],
  ['carry: [etc/x]', 'carry.0'],
  ['carry: [/etc/../x]', 'carry.0'],
  ['rate: fast', 'rate'],
  ['helth: {}', 'agent.yaml'],
  ['a: [', 'agent.yaml'],
  ['just words', 'agent.yaml'],
])('refuses %s and names the field', (text, field) => {
  try {
    parseAgentSettings(text);
    expect.unreachable();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(ImprintError);
    expect((thrown as ImprintError).code).toBe('input-invalid');
    expect((thrown as ImprintError).message).toContain(field);
  }
});
