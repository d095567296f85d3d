import type { Digest, RawPath } from '../../../foundation/brand.ts';
import type { Entry } from '../../../image/entry.ts';
import type { Choice, DriftMode } from '../../../planning/choose-change.ts';
import type { LocalBase, UpdateContent } from '../update-content.ts';
import type { LocalDifference } from './local-state.ts';

export interface InPlaceRequest {
  content: UpdateContent;
  /** The version that runs, and where: `/`. */
  base: LocalBase;
  drift: DriftMode;
  /** Globs of more paths that are the machine's own (`keep:`); `!` takes back from the default list. */
  keep?: readonly string[];
}

/** One path that an update in place changes. */
export interface PlannedPath {
  path: RawPath;
  /** Whether something is there now, that has to be kept for the way back. */
  present: boolean;
  /** Whether that is a directory. */
  directory: boolean;
  /** What is to be there; absent: nothing. A hard link is its first name here, with `path` of its own. */
  wanted?: Entry;
  /** Name in the plan whose file this one is too. */
  link?: RawPath;
  /** Content instead of the entry's: what a merge gave. */
  content?: Uint8Array;
}

/** A change that the machine made to its version, and what becomes of it. */
export interface DriftItem {
  path: RawPath;
  kind: 'changed' | 'missing' | 'added';
  /** In what it differs from the version. */
  changes: LocalDifference[];
  choice: Choice;
  /** Why it could not be merged. */
  conflict?: string;
}

/** What an update in place will do, found without writing anything. */
export interface InPlacePlan {
  id: string;
  root: RawPath;
  /** `web:3`. */
  reference: string;
  from: Digest;
  to: Digest;
  mode: DriftMode;
  /** In order; directories too. */
  paths: PlannedPath[];
  /** Directories of the new version, with their attributes, where the machine did not change those. */
  directories: Map<RawPath, Entry>;
  drift: DriftItem[];
  /** Files, links and devices. `bytes` of content to be written. */
  counts: { added: number; changed: number; removed: number; bytes: number };
  /** Why it cannot be done; then `paths` means nothing. */
  problems: string[];
  /** What is left as it is though the version has it otherwise, and why. */
  warnings: string[];
}
