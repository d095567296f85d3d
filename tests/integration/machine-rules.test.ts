import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { agentClient } from '../../src/agent/agent-client.ts';
import type { UpdatePlan } from '../../src/contract/update.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { parsePublicKey } from '../../src/image/signature.ts';
import { agentFiles } from '../../src/machine/agent-files.ts';
import { parseAgentSettings } from '../../src/machine/agent-settings.ts';
import { imageRulesPath, keepServerRules, readRules, withRules } from '../../src/operations/update/machine-rules.ts';
import { keepObject } from '../../src/operations/update/object-state.ts';
import { planMachineUpdate } from '../../src/operations/update/update-machine.ts';
import { factsOf, type RunningServer, startServer } from './server-harness.ts';
import { commitTree, makeBootableTree, signedStore, slotMachine } from './slot-machine.ts';

let base: string;
let root: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'imprint-rules-'));
  root = join(base, 'root');
  for (const path of ['usr/share/imprint', 'etc/imprint', 'srv/own', 'opt/app']) {
    await mkdir(join(root, path), { recursive: true });
  }
  return () => rm(base, { recursive: true });
});

const settingsOf = async (text: string) => {
  const own = parseAgentSettings(text);
  return withRules(own, await readRules(root, own));
};

describe('what a machine keeps of its own', () => {
  it('is said by the image, the server and the machine, in this order', async () => {
    await writeFile(join(root, imageRulesPath), 'keep:\n  - /opt/app/**\ncarry: [/opt/app/state]\n');
    expect(await keepServerRules(root, { keep: ['/srv/own'] })).toBe(true);
    expect(await keepServerRules(root, { keep: ['/srv/own'] })).toBe(false);
    const { keep, carry } = await settingsOf("keep: ['!/opt/app/cache']\ncarry: [/etc/letsencrypt]\n");
    expect(keep).toEqual(['/opt/app/**', '/srv/own', '!/opt/app/cache']);
    expect(carry).toEqual(['/opt/app/state', '/etc/letsencrypt']);
    expect(await keepServerRules(root, {})).toBe(true);
    expect((await settingsOf('')).keep).toEqual(['/opt/app/**']);
  });

  it('is refused where a list is none', async () => {
    for (const [text, said] of [
      ['keep: [relative]\n', /paths\.yaml: keep\.0/],
      ['keeps: []\n', /paths\.yaml/],
      ['keep: [\n', /paths\.yaml/],
    ] as const) {
      await writeFile(join(root, imageRulesPath), text);
      await expect(settingsOf('')).rejects.toThrow(said);
    }
  });

  it('may be taken back, also from the built-in list', async () => {
    for (const path of ['etc/hostname', 'etc/hosts', 'opt/app/state', 'opt/app/cache']) {
      await writeFile(join(root, path), path);
    }
    const carried = async (carry: string[]) => {
      const stateDirectory = join(base, 'objects');
      const object = await keepObject({ root, stateDirectory, carry, clock: systemClock });
      return object.entries.map(({ path }) => path).filter((path) => path.split('/').length > 1 && path !== 'opt/app');
    };
    const named = ['etc/hostname', 'etc/hosts', 'etc/imprint'];
    expect(await carried([])).toEqual(named);
    expect(await carried(['/opt/app', '!/opt/app/cache', '!/etc/hosts'])).toEqual([
      ...['etc/hostname', 'etc/imprint', 'opt/app/state'],
    ]);
    expect(await carried(['!/etc/host*', '/etc/hosts'])).toEqual(['etc/hosts', 'etc/imprint']);
  });
});

it.skipIf(process.geteuid?.() !== 0)('a plan tells of it, and who said so', async () => {
  const golden = join(base, 'golden');
  await makeBootableTree(golden);
  await mkdir(join(golden, 'usr/share/imprint'), { recursive: true });
  await writeFile(join(golden, imageRulesPath), 'carry: [/opt/app]\nkeep: [/opt/app]\n');
  const signed = await signedStore(join(base, 'data'));
  const first = await commitTree(signed, golden);
  await writeFile(join(golden, 'usr/new'), 'new');
  await commitTree(signed, golden);
  await using machine = await slotMachine(signed, golden, first);
  await keepServerRules(machine.root, { carry: ['/etc/letsencrypt'] });
  await writeFile(join(machine.root, agentFiles.settings), "carry: ['!/etc/hosts']\n");
  const here = await machine.machine();
  const request = { image: `${signed.directory}#web:2`, options: {} };
  const plan: UpdatePlan = await Task.run(
    'plan',
    () => {},
    (task) => planMachineUpdate(here, request, task),
  );
  expect(plan.problems).toEqual([]);
  expect(plan.rules).toEqual([
    { kind: 'carry', glob: '/opt/app', from: 'image' },
    { kind: 'carry', glob: '/etc/letsencrypt', from: 'server' },
    { kind: 'carry', glob: '!/etc/hosts', from: 'machine' },
  ]);
  await signed.store.close();
});

describe('rules at the server', () => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('are set for a range of machines, and told to their agents with each signed answer', async () => {
    const macs = ['52:54:00:aa:01:01', '52:54:00:aa:01:02'];
    await server.call('machine.add', { machines: 'rule[01-02]', macs });
    const rules = { keep: ['/srv/**', '!/srv/www'], carry: ['/etc/letsencrypt'] };
    expect((await server.call('machine.set', { machines: 'rule[01-02]', rules })).body.machines).toMatchObject([
      { name: 'rule01', rules },
      { name: 'rule02', rules },
    ]);
    const key = parsePublicKey(await readFile(join(server.data, 'keys/server.pub'), 'utf8'));
    const client = agentClient(server.url, key);
    const ask = () =>
      client.hello({
        session: 'a'.repeat(32),
        facts: factsOf(macs[1] ?? ''),
        report: { program: '1', booted: 1 },
        waitSeconds: 0,
      });
    expect(await ask()).toMatchObject({ rules, order: { kind: 'wait', name: 'rule02' } });
    await server.call('machine.set', { machines: 'rule02', rules: { keep: null } });
    expect((await ask()).rules).toEqual({ carry: ['/etc/letsencrypt'] });
    await server.call('machine.set', { machines: 'rule02', rules: { carry: null } });
    expect((await ask()).rules).toEqual({});
    const refused = await server.call('machine.set', { machines: 'rule01', rules: { keep: ['../x'] } });
    expect(refused.status).toBe(400);
  });
});
