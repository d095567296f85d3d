/**
 * The files of a store, wherever they lie: all that a reader needs of a directory or a web server. Paths are those of
 * `layout.ts`. Errors: `store-unreachable`, `io-failed`.
 */
export interface StoreFiles {
  /** For people: the directory or URL. */
  readonly location: string;
  /** The whole file; undefined where it is not there. A file longer than `limit` bytes is a `FormatError`. */
  read(path: string, limit: number): Promise<Buffer | undefined>;
  /** `length` bytes from `offset`, fewer where the file ends before; undefined where it is not there. */
  readRange(path: string, offset: number, length: number): Promise<Buffer | undefined>;
  /** Length in bytes; undefined where it is not there. */
  length(path: string): Promise<number | undefined>;
  /** The file on this machine, if it is on this machine. */
  localPath(path: string): string | undefined;
  close(): Promise<void>;
}
