import { expect, it } from 'vitest';
import type { AgentHello, AgentOrder, AgentOutcome } from '../contract/agent-protocol.ts';
import type { MachineFacts } from '../contract/machine.ts';
import type { UpdateResult } from '../contract/operations/updates.ts';
import { systemClock } from '../foundation/clock.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { BootEntry } from '../machine/boot-pointer.ts';
import type { MachineView } from '../operations/update/this-machine.ts';
import { type Agent, runAgent } from './agent-loop.ts';
import { argumentsOf, type WorkOrder } from './run-order.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const entry: BootEntry = {
  ...{ id: 'b-2', slot: 'b', reference: 'web:2', digest, title: '', kernelVersion: '6', kernelOptions: [], files: {} },
  created: '',
};
const settled: MachineView = {
  layout: { format: 1, layout: 'slots', boot: 'u', esp: 'e', slots: [] },
  pointer: { sequence: 9, good: 'b-2', tries: 0 },
  tries: { sequence: 0, left: 0 },
  entries: [entry],
  systems: [],
  running: entry,
  situation: { kind: 'settled', entry: 'b-2' },
  failure: undefined,
  note: undefined,
};
const version = { image: 'web:2', digest };
const note = {
  format: 1,
  kind: 'update',
  order: 'o1',
  entry: 'b-2',
  from: version,
  to: version,
  started: 1,
  failedUnits: [],
} as const;
const onTrial: MachineView = {
  ...settled,
  pointer: { sequence: 8, good: 'a-1', trial: 'b-2', tries: 3 },
  situation: { kind: 'trial', entry: 'b-2', left: 2 },
  note: { ...note, failedUnits: [] },
};
const update: WorkOrder = {
  ...{ kind: 'update', id: 'o2', name: 'web01', image: 'web:3', digest, store: 'http://s/store' },
  options: { tries: 2, inPlace: true, rate: 1000 },
};
const result: UpdateResult = {
  ...{ kind: 'staged', to: { reference: 'web:3', digest }, slot: 'a', entry: 'a-3', warnings: [] },
  reboot: { method: 'full', reasons: [] },
};

/** An agent whose server answers as told, then with nothing until the end. */
function agentWith(orders: (AgentOrder['order'] | ImprintError)[], more: Partial<Agent> = {}) {
  const end = new AbortController();
  const said: { hellos: Omit<AgentHello, 'nonce'>[]; outcomes: AgentOutcome[]; forgot: number } = {
    hellos: [],
    outcomes: [],
    forgot: 0,
  };
  const agent: Agent = {
    ...{ program: '1', session: 'f'.repeat(32), booted: 1, signal: end.signal, log: () => {} },
    clock: { now: Date.now, sleep: (_, signal) => systemClock.sleep(1, signal) },
    client: {
      url: 's',
      hello: async (question) => {
        said.hellos.push(question);
        const order = orders.shift();
        if (order instanceof ImprintError) throw order;
        if (order === undefined) await systemClock.sleep(60_000, end.signal);
        return { nonce: '', time: 5, order: order ?? { kind: 'wait', name: 'web01', message: '' } };
      },
      events: async () => 'taken',
      object: async () => 'taken',
      outcome: async (outcome) => {
        said.outcomes.push(outcome);
        return 'taken';
      },
    },
    settle: async () => settled,
    lookAgain: async () => undefined,
    prove: async () => settled,
    forgetNote: async () => {
      said.forgot += 1;
    },
    readFacts: async () => facts,
    runOrder: async () => result,
    takeRules: async () => {},
    keepObject: async () => undefined,
    serverTime: async () => {},
    ...more,
  };
  return {
    agent,
    said,
    /** Runs until the server was asked all of it, and a little longer. */
    run: async () => {
      const running = runAgent(agent);
      // A busy computer takes its time.
      for (let waited = 0; orders.length > 0 && waited < 5000; waited += 10) await systemClock.sleep(10);
      await systemClock.sleep(150);
      end.abort();
      await running;
      return said;
    },
  };
}
const facts: MachineFacts = {
  ...{ architecture: 'x86_64', cpu: 'c', cores: 1, memory: 2 ** 30, firmware: 'bios', interfaces: [], disks: [] },
};
const idle: AgentOrder['order'] = { kind: 'wait', name: 'web01', message: '' };

it('reports what runs, and asks again while the server is away', async () => {
  const away = new ImprintError('server-unreachable', { server: 's', problem: 'gone' });
  const { hellos, outcomes } = await agentWith([away, away, idle]).run();
  expect(hellos.length).toBe(4);
  expect(hellos[0]).toMatchObject({ waitSeconds: 0, report: { running: { image: 'web:2' }, situation: 'settled' } });
  expect(hellos[3]).toMatchObject({ waitSeconds: 60 });
  expect(outcomes).toEqual([]);
});

it('tells the server whom it does not trust', async () => {
  const wrong = new ImprintError('signature-wrong', { what: 'the answer of s', key: 'K' });
  const { hellos } = await agentWith([wrong, idle]).run();
  expect(hellos[1]).toMatchObject({ problem: { code: 'signature-wrong' } });
  expect(hellos[2]?.problem).toBeUndefined();
});

it('proves a trial and goes on with its order', async () => {
  const said = await agentWith([idle], {
    settle: async () => onTrial,
    prove: async (_, reached) => {
      for (let tries = 0; tries < 50 && (await reached?.()) !== true; tries += 1) await systemClock.sleep(1);
      return { ...settled, note: { ...note, failedUnits: [] } };
    },
  }).run();
  expect(said.hellos[0]).toMatchObject({ order: 'o1', report: { situation: 'trial' } });
  expect(said.outcomes).toMatchObject([{ order: 'o1', outcome: { kind: 'committed', version } }]);
  expect(said.forgot).toBe(1);
});

it('tells why the version before runs again, as soon as there is a server', async () => {
  const failure = { sequence: 8, entry: 'a-3', reason: 'it hung', time: '2026-01-01T00:00:00Z' };
  const fell = { ...settled, failure, note: { ...note, entry: 'a-3', failedUnits: [] } };
  const away = new ImprintError('server-unreachable', { server: 's', problem: 'gone' });
  const said = await agentWith([away, idle], { settle: async () => fell }).run();
  expect(said.outcomes).toMatchObject([
    { order: 'o1', outcome: { kind: 'fell-back', error: { code: 'trial-failed' } } },
  ]);
});

it('carries out an order and says that it restarts', async () => {
  const said = await agentWith([update, idle], {
    runOrder: async (order, { staged }) => {
      expect(order).toEqual(update);
      staged(result);
      return result;
    },
  }).run();
  expect(said.outcomes).toMatchObject([{ order: 'o2', outcome: { kind: 'staged' } }]);
  expect(said.hellos.at(-1)).toMatchObject({ order: 'o2' });
});

it.each([
  ['failed', new ImprintError('disk-full', { path: '/' })],
  ['fell-back', new ImprintError('trial-failed', { reference: 'web:3', reason: 'x' })],
] as const)('says that an order %s', async (kind, error) => {
  const said = await agentWith([update, idle], { runOrder: async () => Promise.reject(error) }).run();
  expect(said.outcomes).toMatchObject([{ order: 'o2', outcome: { kind } }]);
});

it('is of use without a server, and on a system that is none of ours', async () => {
  const { client: _, ...alone } = agentWith([]).agent;
  const end = new AbortController();
  let proven = 0;
  const running = runAgent({
    ...alone,
    signal: end.signal,
    settle: async () => onTrial,
    prove: async () => {
      proven += 1;
      return settled;
    },
  });
  await systemClock.sleep(30);
  end.abort();
  await running;
  expect(proven).toBe(1);
  const said = await agentWith([idle], { settle: async () => undefined }).run();
  expect(said.hellos[0]?.report).toEqual({ program: '1', booted: 1 });
});

it('names the version by its digest', () => {
  expect(argumentsOf(update)).toEqual([
    ...['update', '--image', `http://s/store#web@${digest}`, '--json', '--yes'],
    ...['--in-place', '--tries', '2', '--rate', '1000'],
  ]);
  const revert: WorkOrder = {
    kind: 'revert',
    id: 'o',
    name: 'web01',
    to: version,
    store: 'http://s/store',
    options: {},
  };
  expect(argumentsOf(revert).slice(0, 5)).toEqual(['revert', '--to', `web@${digest}`, '--store', 'http://s/store']);
});

it('proves a trial, too, whose boot partition could not be opened at first', async () => {
  let tries = 0;
  const proven: string[] = [];
  const settle = async () => {
    tries += 1;
    if (tries < 3) throw new ImprintError('boot-partition-unfit', { device: '/dev/x', problem: 'somebody has it' });
    return onTrial;
  };
  const prove = async (view: MachineView) => {
    proven.push(view.pointer.trial ?? '');
    return settled;
  };
  await agentWith([idle], { settle, prove }).run();
  expect(proven).toEqual(['b-2']);
});
