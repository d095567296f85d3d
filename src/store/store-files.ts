/** Takes bytes of a file as they come; they begin at `at` of the file. What it waits for holds up the transfer. */
export type RangeSink = (bytes: Uint8Array, at: number) => void | Promise<void>;

/** A file as it is now: its length, and what tells it from another one of the same name, where that is to be had. */
export interface FileState {
  length: number;
  /** An entity tag (RFC 9110). */
  tag?: string;
}

/** What has come over the wire. */
export interface Traffic {
  /** Of bodies, without headers. */
  readonly bytes: number;
  readonly requests: number;
}

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
  /**
   * The file's state; `later` where the store is about to make it and it is worth asking again; undefined where it is not there.
   */
  state(path: string): Promise<FileState | 'later' | undefined>;
  /**
   * Gives `length` bytes from `offset` to `sink`, in order, each once, also where connections break. False where the file is not there, is shorter, or is
   * not that of `tag` any longer.
   */
  copy(path: string, range: { offset: number; length: number; tag?: string }, sink: RangeSink): Promise<boolean>;
  /** Zeros where the files are on this machine. */
  readonly traffic: Traffic;
  /** The file on this machine, if it is on this machine. */
  localPath(path: string): string | undefined;
  close(): Promise<void>;
}
