import type { Kysely, Selectable } from 'kysely';
import type { MachineRecord } from '../machine/machine-state.ts';
import type { Tables } from './tables.ts';

/** Machines by what identifies them. A name, a MAC address and an IPv4 address belong to one machine at most. */
export interface MachineRepository {
  /** By name. */
  all(): Promise<MachineRecord[]>;
  byName(name: string): Promise<MachineRecord | undefined>;
  /** Each machine that has one of the MAC addresses. */
  byMacs(macs: readonly string[]): Promise<MachineRecord[]>;
  byAddress(address: string): Promise<MachineRecord | undefined>;
  insert(machine: MachineRecord): Promise<void>;
  /** Replaces the machine called `name`; `machine.name` may be another one. */
  update(name: string, machine: MachineRecord): Promise<void>;
  remove(name: string): Promise<void>;
}

export function machineRepository(database: Kysely<Tables>): MachineRepository {
  return {
    all: () => select(database),
    byName: async (name) => (await select(database, { name }))[0],
    byAddress: async (address) => (await select(database, { address }))[0],
    byMacs: async (macs) => {
      if (macs.length === 0) return [];
      const rows = await database.selectFrom('machine_mac').select('machine').where('mac', 'in', macs).execute();
      return select(database, { ids: [...new Set(rows.map((row) => row.machine))] });
    },
    insert: async (machine) => {
      const { id } = await database
        .insertInto('machine')
        .values(toRow(machine))
        .returning('id')
        .executeTakeFirstOrThrow();
      await insertMacs(database, id, machine.macs);
    },
    update: async (name, machine) => {
      const { id } = await database
        .updateTable('machine')
        .set(toRow(machine))
        .where('name', '=', name)
        .returning('id')
        .executeTakeFirstOrThrow();
      await database.deleteFrom('machine_mac').where('machine', '=', id).execute();
      await insertMacs(database, id, machine.macs);
    },
    remove: async (name) => {
      await database.deleteFrom('machine').where('name', '=', name).execute();
    },
  };
}

async function insertMacs(database: Kysely<Tables>, machine: number, macs: readonly string[]): Promise<void> {
  if (macs.length === 0) return;
  const rows = macs.map((mac, position) => ({ mac, machine, position }));
  await database.insertInto('machine_mac').values(rows).execute();
}

async function select(
  database: Kysely<Tables>,
  where: { name?: string; address?: string; ids?: number[] } = {},
): Promise<MachineRecord[]> {
  let query = database.selectFrom('machine').selectAll().orderBy('name');
  if (where.name !== undefined) query = query.where('name', '=', where.name);
  if (where.address !== undefined) query = query.where('address', '=', where.address);
  if (where.ids !== undefined) query = query.where('id', 'in', where.ids);
  const rows = await query.execute();
  let macQuery = database.selectFrom('machine_mac').selectAll().orderBy('position');
  if (rows.length === 1 && rows[0]) macQuery = macQuery.where('machine', '=', rows[0].id);
  const macs = rows.length === 0 ? [] : await macQuery.execute();
  const byMachine = Map.groupBy(macs, (row) => row.machine);
  return rows.map((row) => toMachine(row, byMachine.get(row.id)?.map(({ mac }) => mac) ?? []));
}

function toRow(machine: MachineRecord) {
  return {
    name: machine.name,
    approved: machine.approved ? 1 : 0,
    state: machine.state,
    uuid: machine.uuid ?? null,
    address: machine.address ?? null,
    facts: json(machine.facts),
    image: machine.image ?? null,
    options: JSON.stringify(machine.options),
    rules: json(machine.rules),
    groups: json(machine.groups),
    install_order: json(machine.order),
    update_order: json(machine.update),
    agent: json(machine.agent),
    installed: json(machine.installed),
    problem: json(machine.problem),
    last_seen: machine.lastSeen ?? null,
    created: machine.created,
  };
}

function toMachine(row: Selectable<Tables['machine']>, macs: string[]): MachineRecord {
  return {
    name: row.name,
    approved: row.approved === 1,
    state: row.state as MachineRecord['state'],
    macs,
    options: JSON.parse(row.options),
    created: row.created,
    ...(row.uuid !== null && { uuid: row.uuid }),
    ...(row.address !== null && { address: row.address }),
    ...(row.facts !== null && { facts: JSON.parse(row.facts) }),
    ...(row.image !== null && { image: row.image }),
    ...(row.rules !== null && { rules: JSON.parse(row.rules) }),
    ...(row.groups !== null && { groups: JSON.parse(row.groups) }),
    ...(row.install_order !== null && { order: JSON.parse(row.install_order) }),
    ...(row.update_order !== null && { update: JSON.parse(row.update_order) }),
    ...(row.agent !== null && { agent: JSON.parse(row.agent) }),
    ...(row.installed !== null && { installed: JSON.parse(row.installed) }),
    ...(row.problem !== null && { problem: JSON.parse(row.problem) }),
    ...(row.last_seen !== null && { lastSeen: row.last_seen }),
  };
}

function json(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}
