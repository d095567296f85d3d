import type { SourceFacts, VersionStats } from '../../contract/image.ts';
import type { CaptureInput } from '../../contract/operations/capture.ts';
import type { Digest, RawPath } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import type { StoredVersion } from '../../store/store.ts';
import type { StoreTransaction, WritableStore, WrittenManifest } from '../../store/transaction.ts';
import type { Processes } from '../../system/run.ts';
import type { SourcePlace } from './source-place.ts';

/** What a capture of any kind of source is given. */
export interface SourceCapture {
  input: CaptureInput;
  /** `input.source`, with its kind known. */
  place: SourcePlace;
  store: WritableStore;
  /** Directories of this server, never captured: the store (into itself), and the data with its keys. */
  ownDirectories: readonly string[];
  /** Begins the change of the store; not called before the source was found fit. */
  begin(): Promise<StoreTransaction>;
  processes: Processes;
  task: Task;
  /** The newest version that came from this very place, if any, to read less. */
  previous(location: string): StoredVersion | undefined;
}

/** What came of it: all that a version record says of its source. */
export interface CapturedSource {
  transaction: StoreTransaction;
  manifest: WrittenManifest;
  facts: SourceFacts;
  stats: VersionStats;
  excluded: string[];
  scrubbed: RawPath[];
  warnings: string[];
  unchangedFiles: number;
}

/** Digest of a stored version. */
export function digestOf(version: StoredVersion): Digest {
  return version.record.digest as Digest;
}
