import type { Generated } from 'kysely';

/** The tables as Kysely sees them. Whatever nests is JSON text; times are milliseconds since 1970; booleans 0 or 1. */
export interface Tables {
  machine: MachineTable;
  machine_mac: MachineMacTable;
  task: TaskTable;
  task_event: TaskEventTable;
}

interface MachineTable {
  id: Generated<number>;
  name: string;
  approved: number;
  state: string;
  uuid: string | null;
  address: string | null;
  facts: string | null;
  image: string | null;
  options: string;
  rules: string | null;
  groups: string | null;
  install_order: string | null;
  update_order: string | null;
  agent: string | null;
  installed: string | null;
  problem: string | null;
  last_seen: number | null;
  created: number;
}

interface MachineMacTable {
  mac: string;
  machine: number;
  position: number;
}

interface TaskTable {
  id: string;
  title: string;
  machine: string | null;
  state: string;
  started: number;
  ended: number | null;
}

interface TaskEventTable {
  /** Counts over all tasks: where a reader of all events goes on. */
  id: Generated<number>;
  task: string;
  seq: number;
  /** Who sent it, and what it called it: what tells an event that came twice. */
  origin: string;
  origin_seq: number;
  event: string;
}
