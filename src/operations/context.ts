import type { Database } from '../database/database.ts';
import { type Clock, systemClock } from '../foundation/clock.ts';
import type { ServerKey } from '../store/keys.ts';
import { makeDirectories } from '../store/make-directories.ts';
import type { Store } from '../store/store.ts';
import { type Processes, systemProcesses } from '../system/run.ts';
import { type Changes, createChanges } from './changes.ts';
import { type DataPaths, dataPaths } from './data-paths.ts';
import type { Log } from './log.ts';

/**
 * What operations work with. Made once, by the entry, and handed down. What costs time to open (database, store, key) is
 * opened when it is first asked for, once.
 */
export interface Context extends AsyncDisposable {
  readonly paths: DataPaths;
  /** The store's directory or URL. */
  readonly storeLocation: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly processes: Processes;
  readonly changes: Changes;
  /** `--trust`: a trust document or public key file, or `none`; undefined: what the data directory knows. */
  readonly trust: string | undefined;
  /** Tells people something that is no error, beside the result. */
  warn(message: string): void;
  /** Errors: `database-unfit`, `disk-full`, `read-only`, `io-failed`. */
  database(): Promise<Database>;
  /** For reading; gives out only versions that are trusted here (`trust.ts`). Errors: `store-not-found`, `store-unreachable`. */
  store(): Promise<Store>;
  /** The server's key, made when there is none yet. */
  key(): Promise<ServerKey>;
}

export interface ContextOptions {
  /** The data directory. */
  data: string;
  /** Absent: `DATA/store`. */
  store?: string;
  /** A trust document or public key file, or `none`. Absent: what the data directory knows. */
  trust?: string;
  /** Absent: to the log. */
  warn?: (message: string) => void;
  log: Log;
  clock?: Clock;
  processes?: Processes;
}

/** The one place that puts a context together. */
export function createContext(options: ContextOptions): Context {
  const { log } = options;
  const paths = dataPaths(options.data);
  const storeLocation = options.store ?? `${paths.data}/store`;
  const database = once(async () => {
    const { openDatabase } = await import('../database/database.ts');
    await makeDirectories(paths.data);
    return openDatabase(paths.databaseFile);
  });
  const store = once(async () => {
    const { findGuard } = await import('./trust/find-guard.ts');
    const guard = await findGuard(context);
    const { openStore } = await import('../store/open-store.ts');
    return openStore(storeLocation, guard === undefined ? {} : { guard });
  });
  const key = once(async () => (await import('../store/keys.ts')).ensureServerKey(paths.data));
  const context: Context = {
    paths,
    storeLocation,
    trust: options.trust,
    warn: options.warn ?? ((message) => log.warn({}, message)),
    clock: options.clock ?? systemClock,
    log,
    processes: options.processes ?? systemProcesses,
    changes: createChanges((thrown) => log.error({ err: thrown }, 'a listener failed')),
    database: database.get,
    store: store.get,
    key: key.get,
    [Symbol.asyncDispose]: async () => {
      await (await store.opened())?.close();
      await (await database.opened())?.close();
    },
  };
  return context;
}

/** Opens a thing when it is first asked for; a failure is not kept, so that the next asking tries again. */
function once<Value>(open: () => Promise<Value>): { get(): Promise<Value>; opened(): Promise<Value | undefined> } {
  let promise: Promise<Value> | undefined;
  return {
    get: () => {
      promise ??= open().catch((thrown) => {
        promise = undefined;
        throw thrown;
      });
      return promise;
    },
    opened: async () => promise?.catch(() => undefined),
  };
}
