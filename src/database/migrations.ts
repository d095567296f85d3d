import type { Kysely, Migration, MigrationProvider } from 'kysely';

/** The schema's history. A migration that was published is never changed; a change is a new one. */
export const migrations: Readonly<Record<string, Migration>> = {
  '001-machines-and-tasks': { up: machinesAndTasks },
  '002-updates': { up: updates },
  '003-rules': { up: rules },
  '004-groups': { up: groups },
};

export const migrationProvider: MigrationProvider = { getMigrations: async () => ({ ...migrations }) };

async function machinesAndTasks(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('machine')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('approved', 'integer', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('uuid', 'text')
    .addColumn('address', 'text', (column) => column.unique())
    .addColumn('facts', 'text')
    .addColumn('image', 'text')
    .addColumn('options', 'text', (column) => column.notNull())
    .addColumn('install_order', 'text')
    .addColumn('installed', 'text')
    .addColumn('problem', 'text')
    .addColumn('last_seen', 'integer')
    .addColumn('created', 'integer', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('machine_mac')
    .addColumn('mac', 'text', (column) => column.primaryKey())
    .addColumn('machine', 'integer', (column) => column.notNull().references('machine.id').onDelete('cascade'))
    .addColumn('position', 'integer', (column) => column.notNull())
    .execute();
  await database.schema.createIndex('machine_mac_machine').on('machine_mac').column('machine').execute();
  await database.schema
    .createTable('task')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('title', 'text', (column) => column.notNull())
    .addColumn('machine', 'text')
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('started', 'integer', (column) => column.notNull())
    .addColumn('ended', 'integer')
    .execute();
  await database.schema.createIndex('task_machine').on('task').columns(['machine', 'started']).execute();
  await database.schema
    .createTable('task_event')
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('task', 'text', (column) => column.notNull().references('task.id').onDelete('cascade'))
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('origin', 'text', (column) => column.notNull())
    .addColumn('origin_seq', 'integer', (column) => column.notNull())
    .addColumn('event', 'text', (column) => column.notNull())
    .addUniqueConstraint('task_event_seq', ['task', 'seq'])
    .addUniqueConstraint('task_event_origin', ['task', 'origin', 'origin_seq'])
    .execute();
}

async function updates(database: Kysely<unknown>): Promise<void> {
  await database.schema.alterTable('machine').addColumn('update_order', 'text').execute();
  await database.schema.alterTable('machine').addColumn('agent', 'text').execute();
}

async function rules(database: Kysely<unknown>): Promise<void> {
  await database.schema.alterTable('machine').addColumn('rules', 'text').execute();
}

async function groups(database: Kysely<unknown>): Promise<void> {
  await database.schema.alterTable('machine').addColumn('groups', 'text').execute();
}
