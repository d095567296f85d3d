import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { EditListing } from '../../contract/operations/edits.ts';
import { rawPath } from '../../foundation/brand.ts';
import type { Clock } from '../../foundation/clock.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { tryLock } from '../../native/files.ts';
import { makeDirectories } from '../../store/make-directories.ts';
import { removeContents } from '../../tree/remove-contents.ts';
import { type EditPlace, type EditState, editPlace, editsDirectory, readEditState } from './edit-state.ts';

/** An edit that this process has: nobody else works in it until it is closed. */
export interface HeldEdit extends AsyncDisposable {
  readonly id: string;
  readonly place: EditPlace;
  /** Its lock is held by whoever has this file open: so by processes that were given it, too. */
  readonly lock: FileHandle;
}

/** Makes the directory of a new edit, locked. Only root may look in: it will hold set-uid programs and what the image keeps secret. */
export async function createEdit(data: string, image: string): Promise<HeldEdit> {
  const parent = editsDirectory(data);
  try {
    await makeDirectories(parent, 0o700);
    const made = join(parent, `.new-${randomBytes(8).toString('hex')}`);
    await mkdir(made, { mode: 0o700 });
    const lock = await open(editPlace(made).lockFile, 'a+', 0o600);
    // Nobody else has reason to hold it, but one that lists edits may look at it for a moment.
    while (!tryLock(lock.fd, 'exclusive')) await setTimeout(1);
    for (;;) {
      const id = `${image}-${randomWord()}`;
      try {
        await rename(made, join(parent, id));
        return held(id, editPlace(join(parent, id)), lock);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
      }
    }
  } catch (error) {
    throw toImprintError(error);
  }
}

/** Takes an edit that is there. Errors: `edit-not-found`, `edit-busy`. */
export async function holdEdit(data: string, id: string, clock: Clock): Promise<HeldEdit> {
  const place = editPlace(join(editsDirectory(data), id));
  let lock: FileHandle;
  try {
    lock = await open(place.lockFile, 'r+');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new ImprintError('edit-not-found', { edit: id });
    throw toImprintError(error);
  }
  // One that was killed just now is busy until the kernel has ended all that ran in it; a look at the list locks it for a moment.
  for (let tries = 0; !tryLock(lock.fd, 'exclusive'); tries += 1) {
    if (tries < 20) {
      await clock.sleep(50);
      continue;
    }
    await lock.close();
    throw new ImprintError('edit-busy', { edit: id });
  }
  return held(id, place, lock);
}

/** Every edit. What a process left that was killed, and nobody can go on with, is removed instead: half-made ones, builds. */
export async function findEdits(data: string): Promise<EditListing[]> {
  const parent = editsDirectory(data);
  const names = await readdir(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw toImprintError(error);
  });
  const found: EditListing[] = [];
  for (const name of names.toSorted()) {
    const place = editPlace(join(parent, name));
    const busy = await isBusy(place);
    const state = name.startsWith('.') ? undefined : await readEditState(place);
    if (state !== undefined && (busy || state.recipe === undefined)) found.push(listing(state, busy));
    else if (!busy && (state !== undefined || name.startsWith(gonePrefix) || (await isOld(place))))
      await removeAll(place);
  }
  return found;
}

/** Removes an edit that this process has, with all that was done in it. From the first moment it is an edit no longer. */
export async function removeEdit({ id, place }: HeldEdit): Promise<void> {
  const gone = editPlace(join(dirname(place.directory), `${gonePrefix}${id}-${randomBytes(4).toString('hex')}`));
  await rename(place.directory, gone.directory);
  await removeAll(gone);
}

/** What is being removed; a part of a tree must never be taken for one that somebody worked in. */
const gonePrefix = '.gone-';

async function removeAll(place: EditPlace): Promise<void> {
  removeContents(rawPath(place.root), true);
  await rm(place.directory, { recursive: true, force: true });
}

function held(id: string, place: EditPlace, lock: FileHandle): HeldEdit {
  return { id, place, lock, [Symbol.asyncDispose]: () => lock.close() };
}

function listing(state: EditState, busy: boolean): EditListing {
  const { id, from, image, begun, message } = state;
  return {
    id,
    base: from,
    image,
    begun,
    busy,
    ...(message === undefined ? {} : { message }),
  };
}

async function isBusy({ lockFile }: EditPlace): Promise<boolean> {
  try {
    await using file = await open(lockFile, 'r+');
    return !tryLock(file.fd, 'exclusive');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw toImprintError(error);
  }
}

/** Old enough that nobody is just making it. */
async function isOld({ directory }: EditPlace): Promise<boolean> {
  const found = await stat(directory).catch(() => undefined);
  return found !== undefined && found.mtimeMs < Date.now() - 10_000;
}

/** Four letters that cannot be taken for each other. */
function randomWord(): string {
  const letters = 'bcdfghjkmnpqrstvwxyz2346789';
  return [...randomBytes(4)].map((byte) => letters[byte % letters.length]).join('');
}
