/** What operations log to: a part of pino's logger, so that none of them needs pino to be loaded. */
export interface Log {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** For entries that tell people things by other means. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
