import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Digest } from '../../src/foundation/brand.ts';
import type { MachineRecord } from '../../src/machine/machine-state.ts';
import { createContext } from '../../src/operations/context.ts';
import { takeEvents } from '../../src/operations/imager-reports.ts';
import { silentLog } from '../../src/operations/log.ts';
import { noteSilence } from '../../src/operations/note-silence.ts';

test('a machine that falls silent in mid-install is told of once, keeps its order, and is forgiven when it speaks', async () => {
  const data = await mkdtemp(join(tmpdir(), 'imprint-silence-'));
  let now = 1_000_000;
  const clock = { now: () => now, sleep: async () => {} };
  try {
    await using context = createContext({ data, log: silentLog, clock });
    const database = await context.database();
    const digest = `sha256:${'a'.repeat(64)}` as Digest;
    const machine: MachineRecord = {
      name: 'web01',
      approved: true,
      state: 'installing',
      macs: [],
      options: {},
      created: 1,
      lastSeen: now,
      order: { id: 'o1', image: 'web:1', digest, placed: 1, phase: 'running', session: 's1' },
    };
    await database.tasks.insert({ id: 'o1', title: 'install', machine: 'web01', state: 'running', started: 1 });
    await database.machines.insert(machine);
    now += 59_000;
    await noteSilence(context);
    expect((await database.machines.byName('web01'))?.problem).toBeUndefined();
    now += 2000;
    await noteSilence(context);
    await noteSilence(context);
    const silent = await database.machines.byName('web01');
    expect(silent).toMatchObject({ state: 'installing', problem: { code: 'machine-silent' }, order: { id: 'o1' } });
    expect((await database.tasks.events('o1')).map(({ kind }) => kind)).toEqual(['warning']);
    await takeEvents(context, { session: 's1', order: 'o1', events: [] });
    expect((await database.machines.byName('web01'))?.problem).toBeUndefined();
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
