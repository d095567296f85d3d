import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentClient } from '../../src/agent/agent-client.ts';
import type { AgentOutcome } from '../../src/contract/agent-protocol.ts';
import type { AgentReport } from '../../src/contract/agent-report.ts';
import { ImprintError } from '../../src/foundation/errors.ts';
import { parsePublicKey } from '../../src/image/signature.ts';
import { commitFiles } from '../contract/store-fixture.ts';
import { factsOf, type RunningServer, startServer } from './server-harness.ts';

let server: RunningServer;
let digests: Record<string, string>;

beforeAll(async () => {
  server = await startServer();
  await commitFiles(server.store, 'web', { hostname: Buffer.from('second\n') });
  digests = {
    'web:1': (await server.store.resolve('web:1')).record.digest,
    'web:2': (await server.store.resolve('web:2')).record.digest,
  };
});
afterAll(() => server[Symbol.asyncDispose]());

/** An agent that does nothing but talk; `runs` is what it says it runs. */
async function talkingAgent(mac: string, runs = 'web:1') {
  const client = agentClient(server.url, parsePublicKey(await readFile(join(server.data, 'keys/server.pub'), 'utf8')));
  const session = randomBytes(16).toString('hex');
  const version = (image: string) => ({ image, digest: digests[image] ?? '' });
  const report: AgentReport = {
    program: '1',
    booted: 1,
    layout: 'slots',
    running: { ...version(runs), entry: 'a-1', slot: 'a' },
    situation: 'settled',
  };
  return {
    report,
    version,
    hello: async (waitSeconds = 0, more: { order?: string } = {}) =>
      (await client.hello({ session, facts: factsOf(mac), report, waitSeconds, ...more })).order,
    say: (order: string, message: string) =>
      client.events({
        session,
        order,
        events: [{ taskId: order, seq: 1, time: 1, path: ['update'], kind: 'log', message }],
      }),
    outcome: (order: string, outcome: AgentOutcome['outcome']) => client.outcome({ session, order, outcome }),
  };
}

async function machine(name: string, mac: string): Promise<void> {
  expect((await server.call('machine.add', { machines: name, macs: [mac] })).status).toBe(200);
}
const show = async (name: string) => (await server.read('machine.show', { machine: name })).body;
const task = async (id: string) => (await server.read('task.show', { task: id })).body;

describe('a machine with an agent', () => {
  test('is healthy, is updated, proves it, and goes back', async () => {
    const mac = '52:54:00:aa:00:01';
    await machine('up01', mac);
    expect(await server.call('update.order', { machines: 'up01', image: 'web' })).toMatchObject({
      status: 409,
      body: { error: { code: 'agent-missing' } },
    });
    const agent = await talkingAgent(mac);
    expect(await agent.hello()).toMatchObject({ kind: 'wait', name: 'up01' });
    expect(await show('up01')).toMatchObject({ state: 'healthy', installed: { image: 'web:1' } });

    // It waits; the order wakes it at once.
    const asking = agent.hello(30);
    await sleep(200);
    const ordered = (await server.call('update.order', { machines: 'up01', image: 'web', options: { tries: 2 } })).body;
    const order = await asking;
    expect(order).toMatchObject({
      kind: 'update',
      id: ordered.orders[0].id,
      image: 'web:2',
      store: `${server.url}/store`,
      options: { tries: 2 },
    });
    if (order.kind !== 'update') throw new Error('no order');
    expect(await show('up01')).toMatchObject({ state: 'updating', update: { phase: 'running' }, task: order.id });
    expect((await server.call('update.order', { machines: 'up01' })).body.error.code).toBe('machine-busy');
    expect(await agent.say(order.id, 'fetching')).toBe('taken');
    expect(await agent.outcome(order.id, { kind: 'staged' })).toBe('taken');
    expect(await show('up01')).toMatchObject({ state: 'trial', installed: { image: 'web:1' } });

    // The agent of the new slot goes on with the order.
    const next = await talkingAgent(mac, 'web:2');
    next.report.situation = 'trial';
    next.report.previous = next.version('web:1');
    expect(await next.hello(0, { order: order.id })).toMatchObject({ kind: 'wait' });
    expect(await agent.say(order.id, 'from the grave')).toBe('stale');
    expect(await next.outcome(order.id, { kind: 'committed', version: next.version('web:2') })).toBe('taken');
    next.report.situation = 'settled';
    await next.hello();
    expect(await show('up01')).toMatchObject({ state: 'healthy', installed: { image: 'web:2' } });
    expect((await show('up01')).update).toBeUndefined();
    expect((await task(order.id)).task.state).toBe('finished');

    const back = (await server.call('revert.order', { machines: 'up01' })).body.orders[0];
    expect(back).toMatchObject({ image: 'web:1', digest: digests['web:1'] });
    expect(await next.hello()).toMatchObject({ kind: 'revert', to: { image: 'web:1' } });
  });

  test('says why it fell back, and keeps saying it until it is updated again', async () => {
    const mac = '52:54:00:aa:00:02';
    await machine('up02', mac);
    const agent = await talkingAgent(mac);
    await agent.hello();
    const { id } = (await server.call('update.order', { machines: 'up02', image: 'web:2' })).body.orders[0];
    await agent.hello();
    await agent.outcome(id, { kind: 'staged' });
    const again = await talkingAgent(mac);
    const reason = 'the unit ssh.service failed';
    again.report.failure = { image: 'web:2', reason, time: 7 };
    await again.hello(0, { order: id });
    const error = new ImprintError('trial-failed', { reference: 'web:2', reason }).toValue();
    expect(await again.outcome(id, { kind: 'fell-back', error })).toBe('taken');
    expect(await show('up02')).toMatchObject({
      state: 'reverted',
      installed: { image: 'web:1' },
      problem: { message: error.message },
    });
    expect((await task(id)).task.state).toBe('failed');
    await again.hello();
    expect(await show('up02')).toMatchObject({ state: 'reverted', problem: { code: 'trial-failed' } });
    again.report.failure = undefined as never;
    await again.hello();
    expect(await show('up02')).toMatchObject({ state: 'healthy' });
    expect((await show('up02')).problem).toBeUndefined();
  });

  test('gets an order again that it forgot, and later ones when their time has come', async () => {
    const mac = '52:54:00:aa:00:03';
    await machine('up03', mac);
    const agent = await talkingAgent(mac);
    await agent.hello();
    await server.call('update.order', { machines: 'up03', image: 'web:2', notBefore: Date.now() + 4000 });
    expect(await agent.hello()).toMatchObject({ kind: 'wait' });
    await sleep(4100);
    const order = await agent.hello();
    expect(order.kind).toBe('update');
    const restarted = await talkingAgent(mac);
    expect(await restarted.hello()).toMatchObject({ kind: 'update' });
    const problem = new ImprintError('disk-full', { path: '/' }).toValue();
    if (order.kind !== 'update') throw new Error('no order');
    await restarted.outcome(order.id, { kind: 'failed', error: problem });
    expect(await show('up03')).toMatchObject({ state: 'healthy', problem: { code: 'disk-full' } });
  });

  test('whose order nobody knows any more after the trial ends it by what runs', async () => {
    const mac = '52:54:00:aa:00:04';
    await machine('up04', mac);
    const agent = await talkingAgent(mac);
    await agent.hello();
    const { id } = (await server.call('update.order', { machines: 'up04', image: 'web:2' })).body.orders[0];
    await agent.hello();
    await agent.outcome(id, { kind: 'staged' });
    await (await talkingAgent(mac, 'web:2')).hello();
    expect((await task(id)).task.state).toBe('finished');
    expect(await show('up04')).toMatchObject({ state: 'healthy', installed: { image: 'web:2' } });
  });

  test('has its order taken back, once begun only by force', async () => {
    const mac = '52:54:00:aa:00:05';
    await machine('up05', mac);
    const agent = await talkingAgent(mac);
    await agent.hello();
    await server.call('update.order', { machines: 'up05', image: 'web:2' });
    expect((await server.call('update.cancel', { machines: 'up05' })).body).toEqual({ cancelled: ['up05'] });
    await server.call('update.order', { machines: 'up05', image: 'web:2' });
    await agent.hello();
    expect((await server.call('update.cancel', { machines: 'up05' })).body.error.code).toBe('machine-busy');
    expect((await server.call('update.cancel', { machines: 'up05', force: true })).body.cancelled).toEqual(['up05']);
    expect(await show('up05')).toMatchObject({ state: 'healthy' });
    expect((await server.call('revert.order', { machines: 'up05' })).body.error.code).toBe('nothing-before');
  });
});
