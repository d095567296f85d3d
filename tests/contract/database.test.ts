import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/database/database.ts';
import type { Digest } from '../../src/foundation/brand.ts';
import type { TaskEvent } from '../../src/foundation/task.ts';
import type { MachineRecord } from '../../src/machine/machine-state.ts';

const web01: MachineRecord = {
  name: 'web01',
  approved: true,
  state: 'assigned',
  macs: ['52:54:00:00:00:02', '52:54:00:00:00:01'],
  address: '10.0.0.11',
  image: 'web',
  options: { disk: 'smallest', swap: 0 },
  order: { id: 'o1', image: 'web:3', digest: `sha256:${'a'.repeat(64)}` as Digest, placed: 5, phase: 'waiting' },
  update: {
    id: 'u1',
    kind: 'update',
    image: 'web:4',
    digest: `sha256:${'b'.repeat(64)}` as Digest,
    placed: 6,
    options: { tries: 2 },
    phase: 'waiting',
  },
  agent: { program: '1', booted: 4, situation: 'settled', time: 7 },
  created: 1,
};

function event(seq: number, kind: TaskEvent['kind'] = 'log'): Omit<TaskEvent, 'taskId'> {
  return { seq, time: seq, path: ['install'], kind, message: `event ${seq}` };
}

describe('database', () => {
  let directory = '';
  let database: Database;
  const file = () => join(directory, 'imprint.db');

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'imprint-database-'));
    database = await openDatabase(file());
  });
  afterEach(async () => {
    await database.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('keeps a machine with all that nests, and its MAC addresses in their order', async () => {
    await database.machines.insert(web01);
    expect(await database.machines.byName('web01')).toEqual(web01);
    expect(await database.machines.byMacs(['52:54:00:00:00:01'])).toEqual([web01]);
    expect(await database.machines.byAddress('10.0.0.11')).toEqual(web01);
    expect(await database.machines.byName('web02')).toBeUndefined();
    expect(await database.machines.byMacs([])).toEqual([]);
  });

  test('is as it was when it is opened again', async () => {
    await database.machines.insert(web01);
    await database.close();
    database = await openDatabase(file());
    expect(await database.machines.all()).toEqual([web01]);
  });

  test('replaces and renames a machine; what is gone from it is gone', async () => {
    await database.machines.insert(web01);
    const { order: _order, address: _address, ...rest } = web01;
    const renamed: MachineRecord = { ...rest, name: 'db01', macs: ['52:54:00:00:00:09'] };
    await database.machines.update('web01', renamed);
    expect(await database.machines.all()).toEqual([renamed]);
  });

  test('holds each name, MAC address and address once', async () => {
    await database.machines.insert(web01);
    const other: MachineRecord = { ...web01, name: 'web02', macs: ['52:54:00:00:00:05'], address: '10.0.0.12' };
    await expect(database.machines.insert({ ...other, name: 'web01' })).rejects.toThrow(/UNIQUE/);
    await expect(database.machines.insert({ ...other, address: '10.0.0.11' })).rejects.toThrow(/UNIQUE/);
    await expect(
      database.transaction(({ machines }) => machines.insert({ ...other, macs: ['52:54:00:00:00:01'] })),
    ).rejects.toThrow(/UNIQUE/);
    expect(await database.machines.all()).toEqual([web01]);
  });

  test('a transaction that throws leaves nothing', async () => {
    const work = database.transaction(async ({ machines }) => {
      await machines.insert(web01);
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(await database.machines.all()).toEqual([]);
  });

  test('removing a machine frees its MAC addresses', async () => {
    await database.machines.insert(web01);
    await database.machines.remove('web01');
    await database.machines.insert({ ...web01, name: 'web02' });
    expect((await database.machines.all()).map(({ name }) => name)).toEqual(['web02']);
  });

  test('events get the task’s own numbers, and one that comes twice is dropped', async () => {
    await database.tasks.insert({ id: 't1', title: 'install', machine: 'web01', state: 'running', started: 1 });
    const first = await database.tasks.addEvents('t1', 'boot-a', [event(1, 'started'), event(2)]);
    expect(first.map(({ event }) => event.seq)).toEqual([1, 2]);
    const again = await database.tasks.addEvents('t1', 'boot-a', [event(2), event(3)]);
    expect(again.map(({ event }) => [event.seq, event.message])).toEqual([[3, 'event 3']]);
    const second = await database.tasks.addEvents('t1', 'boot-b', [event(1)]);
    expect(second.map(({ event }) => [event.seq, event.taskId])).toEqual([[4, 't1']]);
    expect((await database.tasks.events('t1', 2)).map(({ seq }) => seq)).toEqual([3, 4]);
    expect(await database.tasks.lastOriginSeq('t1', 'boot-a')).toBe(3);
    expect((await database.tasks.get('t1'))?.last?.seq).toBe(4);
    const all = await database.tasks.eventsSince(first[1]?.id ?? 0, 10);
    expect(all.map(({ event }) => event.seq)).toEqual([3, 4]);
  });

  test('lists tasks newest first, of one machine, in one state', async () => {
    await database.tasks.insert({ id: 't1', title: 'a', machine: 'web01', state: 'running', started: 1 });
    await database.tasks.insert({ id: 't2', title: 'b', machine: 'web02', state: 'waiting', started: 2 });
    await database.tasks.setState('t1', 'finished', 9);
    expect((await database.tasks.list({ limit: 10 })).map(({ id }) => id)).toEqual(['t2', 't1']);
    expect(await database.tasks.list({ limit: 10, machine: 'web01' })).toMatchObject([{ id: 't1', ended: 9 }]);
    expect(await database.tasks.list({ limit: 10, state: 'running' })).toEqual([]);
    await database.tasks.renameMachine('web02', 'db01');
    expect((await database.tasks.get('t2'))?.machine).toBe('db01');
    await database.tasks.removeEndedBefore(10);
    expect((await database.tasks.list({ limit: 10 })).map(({ id }) => id)).toEqual(['t2']);
  });

  test('transactions of two openers queue up and lose nothing', async () => {
    const other = await openDatabase(file());
    const add = (on: Database, name: string) =>
      on.transaction(({ machines }) => machines.insert({ ...web01, name, macs: [], address: `10.0.1.${name}` }));
    await Promise.all(Array.from({ length: 10 }, (_, index) => add(index % 2 ? database : other, String(index))));
    await other.close();
    expect(await database.machines.all()).toHaveLength(10);
  });

  test('a file that is no database, or one of a newer Imprint, is refused by name', async () => {
    const newer = new DatabaseSync(file());
    newer.exec("insert into kysely_migration values ('999-later', '2030')");
    newer.close();
    await expect(openDatabase(file())).rejects.toMatchObject({ code: 'database-unfit' });
  });
});
