import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { carryOut, type Installer } from '../../src/agent/install-order.ts';
import type { InstallOrder } from '../../src/contract/imager-protocol.ts';
import { systemClock } from '../../src/foundation/clock.ts';
import { Task } from '../../src/foundation/task.ts';
import { parseTrustStart } from '../../src/image/trust-document.ts';
import { fakeProcesses } from '../fake-processes.ts';
import { temporaryDirectory } from './store-fixture.ts';
import { memoryOf, storeOf, versionOf } from './trust-places.ts';
import { signers, type TrustCase } from './trust-vectors.ts';

const fixture = join(import.meta.dirname, '../fixtures/trust/cases.json');
const cases: TrustCase[] = JSON.parse(await readFile(fixture, 'utf8'));
/** What an imager is given, it shall use. */
const toUse = cases.filter(({ purpose }) => purpose === 'use');

describe('an imager that is ordered to install', () => {
  test.each(toUse.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
    await using directory = await temporaryDirectory();
    const { result, reached } = await install(directory.path, each);
    const answer = result.kind === 'installed' ? 'installed' : result.error.code;
    if (each.answer === 'ok') return expect(reached).toBe(true);
    expect({ kind: result.kind, answer, reached }).toEqual({ kind: 'refused', answer: each.answer, reached: false });
  });

  test('a record that is not the one that was ordered is refused', async () => {
    await using directory = await temporaryDirectory();
    const [each] = toUse;
    const { result, reached } = await install(directory.path, each as TrustCase, {
      digest: `sha256:${'f'.repeat(64)}`,
    });
    expect(reached).toBe(false);
    expect(result).toMatchObject({ kind: 'refused', error: { code: 'signature-wrong' } });
  });
});

/** Carries out an order as far as the manifest; `reached` says whether it was asked for. */
async function install(directory: string, each: TrustCase, more: Partial<InstallOrder> = {}) {
  const store = await storeOf(directory, each);
  const version = each.versions[each.wanted - 1];
  if (version === undefined) throw new Error('the version is there');
  let reached = false;
  store.entries = () => {
    reached = true;
    throw new Error('far enough');
  };
  const installer: Installer = {
    key: signers.server.publicKey,
    trust: {
      start: parseTrustStart(each.start),
      memory: memoryOf(each.seen === undefined ? undefined : versionOf(each.seen)),
    },
    server: 'http://localhost',
    session: '',
    processes: fakeProcesses(() => ''),
    clock: { ...systemClock, now: () => Date.parse(each.now) },
    target: join(directory, 'target'),
    openStore: async () => store,
    restore: () => Promise.reject(new Error('nothing is restored')),
  };
  const order: InstallOrder = {
    kind: 'install',
    id: 'order',
    name: 'web01',
    image: `web:${each.wanted}`,
    digest: JSON.parse(version.record).digest,
    record: version.record,
    recordSignature: version.signatures ?? '',
    store: 'http://localhost/store',
    options: {},
    ...more,
  };
  const facts = {
    architecture: 'x86_64',
    cpu: '',
    cores: 1,
    memory: 1,
    firmware: 'bios',
    interfaces: [],
    disks: [],
  } as const;
  const run = (work: (task: Task) => Promise<void>) => Task.run('install', () => {}, work);
  const result = await carryOut(order, { ...facts, interfaces: [], disks: [] }, installer, run);
  return { result, reached };
}
