import { Kysely, Migrator } from 'kysely';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import { type MachineRepository, machineRepository } from './machine-repository.ts';
import { migrationProvider } from './migrations.ts';
import { nodeSqliteDialect } from './sqlite-dialect.ts';
import type { Tables } from './tables.ts';
import { type TaskRepository, taskRepository } from './task-repository.ts';

export interface Repositories {
  readonly machines: MachineRepository;
  readonly tasks: TaskRepository;
}

/** What the server must remember. A change is in it for good when its promise resolves. */
export interface Database extends Repositories {
  /**
   * Runs `work` alone and whole: all that it changed is kept, or nothing where it throws. Inside it, only the
   * repositories that it is given may be used.
   */
  transaction<Result>(work: (repositories: Repositories) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}

/**
 * Opens the database file, making it or bringing it up to date first. `:memory:` makes one that is gone when it is
 * closed. Errors: `database-unfit`, `disk-full`, `read-only`, `io-failed`.
 */
export async function openDatabase(file: string): Promise<Database> {
  const kysely = new Kysely<Tables>({ dialect: nodeSqliteDialect(file) });
  try {
    const { error } = await new Migrator({ db: kysely, provider: migrationProvider }).migrateToLatest();
    if (error) throw error;
  } catch (thrown) {
    await kysely.destroy().catch(() => {});
    throw databaseError(file, thrown);
  }
  return {
    machines: machineRepository(kysely),
    tasks: taskRepository(kysely),
    transaction: (work) =>
      kysely
        .transaction()
        .execute((inner) => work({ machines: machineRepository(inner), tasks: taskRepository(inner) })),
    close: () => kysely.destroy(),
  };
}

function databaseError(file: string, thrown: unknown): ImprintError {
  const { code } = thrown as NodeJS.ErrnoException;
  if (thrown instanceof Error && (code === 'ERR_SQLITE_ERROR' || thrown.message.includes('migration'))) {
    return new ImprintError('database-unfit', { path: file, problem: thrown.message }, { cause: thrown });
  }
  return toImprintError(thrown);
}
