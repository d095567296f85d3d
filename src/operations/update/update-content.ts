import type { VersionRecord } from '../../contract/image.ts';
import type { Digest } from '../../foundation/brand.ts';
import type { Entry, WantedEntries } from '../../image/entry.ts';

/** A version that lies ready on this machine: its manifest, and every chunk that is not in the version that it follows. */
export interface UpdateContent extends AsyncDisposable {
  readonly record: VersionRecord;
  /** Canonical JSON of the record, and its signatures: kept with the slot. */
  readonly recordText: string;
  readonly signature?: string;
  readonly digest: Digest;
  /** The verified manifest as a file in the form of the store; kept with the slot, as the base of the next update. */
  readonly manifestFile: string;
  /** The manifest's entries in order: all; or those that are `wanted` by their numbers, and in place of the others undefined, or they. */
  entries(): AsyncIterable<Entry[]>;
  entries(wanted: WantedEntries): AsyncIterable<(Entry | undefined)[]>;
  /**
   * Bytes of a chunk, verified against its hash (64 hexadecimal digits), from wherever it is cheapest. Valid until the next call, which must wait for this one.
   * Errors: `chunk-missing`, `store-unreachable`.
   */
  content(hash: string): Promise<Uint8Array>;
  /** What came over the wire so far. */
  readonly transferred: { readonly bytes: number; readonly requests: number };
}

/** Content that this machine has already: the files of a version that lies in a directory, perhaps changed since. */
export interface LocalBase {
  digest: Digest;
  /** Its manifest file, as `UpdateContent.manifestFile`. */
  manifestFile: string;
  /** Root of the tree: `/` of a system that runs, or where a slot is mounted. */
  root: string;
}
