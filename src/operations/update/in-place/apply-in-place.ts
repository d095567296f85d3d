import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { type RawPath, rawPath } from '../../../foundation/brand.ts';
import { toImprintError } from '../../../foundation/errors.ts';
import {
  type InPlaceDirection,
  type InPlaceState,
  inPlaceDirectory,
  inPlaceNames,
  isInPlaceId,
} from '../../../machine/in-place-journal.ts';
import { removeContents } from '../../../tree/remove-contents.ts';
import { bringRoot } from './bring-root.ts';
import { readState, syncAll, updatePaths } from './root-paths.ts';
import type { InPlaceDescription } from './stage-in-place.ts';

/** An update in place that a root file system keeps: on its way, or for the way back. */
export interface KnownInPlace {
  id: string;
  /** `torn`: power was cut while it was written; between the two. */
  state: InPlaceState | 'torn';
  /** Absent where it cannot be read. */
  description?: InPlaceDescription;
}

/**
 * Makes a root that runs the new version of an update that lies ready: after the pointer says so. True where something had to be done. Carries on what
 * was cut. Errors: `in-place-damaged`, `disk-full`, `read-only`, `io-failed`.
 */
export function applyInPlace(root: string, id: string): boolean {
  return bring(root, id, 'redo');
}

/** Makes a root that runs the old version again: after the pointer says so. As `applyInPlace`. */
export function undoInPlace(root: string, id: string): boolean {
  return bring(root, id, 'undo');
}

/**
 * As `applyInPlace`; what cannot be ended is not left half done, nor for the next start to fail at: `goBack` has the pointer name the old version, then its
 * files come back. Rejects with why it could not be ended.
 */
export async function applyOrUndo(
  root: string,
  id: string,
  { goBack, warn }: { goBack(): Promise<void>; warn(message: string): void },
): Promise<void> {
  try {
    applyInPlace(root, id);
  } catch (thrown) {
    await goBack();
    try {
      giveUpReserve(root, id);
      undoInPlace(root, id);
    } catch (again) {
      warn(`The files could not be put back (${toImprintError(again).message}); the next start does it.`);
    }
    throw thrown;
  }
}

/** Room for what a full disk kept from being done. */
function giveUpReserve(root: string, id: string): void {
  const { update } = updatePaths(rawPath(root), id);
  rmSync(Buffer.from(`${update}/${inPlaceNames.reserve}`, 'latin1'), { force: true });
  syncAll({ update });
}

function bring(root: string, id: string, direction: InPlaceDirection): boolean {
  try {
    return bringRoot({ paths: updatePaths(rawPath(root), id), direction });
  } catch (error) {
    throw toImprintError(error);
  }
}

/** All updates in place that a root knows. */
export function listInPlace(root: string): KnownInPlace[] {
  const base = rawPath(root);
  const found: KnownInPlace[] = [];
  for (const id of namesOf(base)) {
    if (!isInPlaceId(id)) continue;
    const paths = updatePaths(base, id);
    const state = readState(paths);
    const description = descriptionOf(paths.update);
    if (state !== undefined) found.push({ id, state, ...(description === undefined ? {} : { description }) });
  }
  return found;
}

/**
 * Forgets all updates in place but those that an entry of the boot partition still names: before a new one is laid ready, and after one is proven or given up.
 * Whoever calls it made sure that no entry wants another side of those than the root has. Returns what could not be removed, in words.
 */
export function finishInPlace(root: string, named: ReadonlySet<string>): string[] {
  const base = rawPath(root);
  const problems: string[] = [];
  for (const name of namesOf(base)) {
    if (named.has(name)) continue;
    const { update } = updatePaths(base, name);
    // Gone at once: half of one must not be found by a boot.
    const gone = name.startsWith(gonePrefix) ? update : updatePaths(base, `${gonePrefix}${name}`).update;
    if (gone !== update) {
      removeContents(gone as RawPath, true);
      renameSync(Buffer.from(update, 'latin1'), Buffer.from(gone, 'latin1'));
      syncAll({ update: gone });
    }
    problems.push(...removeContents(gone as RawPath, true));
  }
  return problems;
}

/** No id: those have no dots. */
const gonePrefix = '.gone.';

function namesOf(root: RawPath): string[] {
  const place = `${root.replace(/\/+$/, '')}/${inPlaceDirectory}`;
  try {
    return readdirSync(Buffer.from(place, 'latin1'), 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw toImprintError(error);
  }
}

function descriptionOf(update: string): InPlaceDescription | undefined {
  try {
    return JSON.parse(readFileSync(Buffer.from(`${update}/${inPlaceNames.plan}`, 'latin1'), 'utf8'));
  } catch {
    return undefined;
  }
}
