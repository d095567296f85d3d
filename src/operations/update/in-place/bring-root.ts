import { renameSync } from 'node:fs';
import type { RawPath } from '../../../foundation/brand.ts';
import { type InPlaceDirection, type InPlaceJournal, inPlaceNames } from '../../../machine/in-place-journal.ts';
import { link, makeDirectory, removeDirectory, unlink } from '../../../native/nodes.ts';
import { isDirectory } from '../../../native/status.ts';
import { removeContents } from '../../../tree/remove-contents.ts';
import { copyAttributes } from './copy-attributes.ts';
import {
  isOther,
  look,
  lookerIn,
  readJournal,
  readState,
  sameInode,
  temporaryOf,
  type UpdatePaths,
  writeState,
} from './root-paths.ts';

export interface BringOptions {
  paths: UpdatePaths;
  direction: InPlaceDirection;
  /** Called before each change; what it throws leaves the rest undone, as a power cut would. */
  beforeStep?: () => void;
}

/**
 * Brings a root, which may be in use, to one of the two versions of an in-place update (docs/update.md): each file is replaced in one step, what is added
 * comes first and what is removed last. True where something had to be done. May be cut at any instant and begun again, here or by the initramfs.
 * Does not wait: to the system it is one instant of work, and nobody may look on a half of it longer than must be.
 *
 * Errors: `in-place-damaged`; system errors as they come (`disk-full`, `read-only`, `io-failed` by `toImprintError`).
 */
export function bringRoot(options: BringOptions): boolean {
  const { paths, direction } = options;
  const [want, other] = direction === 'redo' ? (['new', 'old'] as const) : (['old', 'new'] as const);
  const state = readState(paths);
  if (state === undefined || state === want) return false;
  const bringing = new Bringing(options, readJournal(paths), inPlaceNames[want], inPlaceNames[other]);
  if (state === other) {
    bringing.keep();
    options.beforeStep?.();
    writeState(paths, direction === 'redo' ? 'redoing' : 'undoing');
  }
  bringing.run();
  options.beforeStep?.();
  writeState(paths, want);
  return true;
}

class Bringing {
  readonly #root: string;
  readonly #want: string;
  readonly #other: string;
  readonly #temporary: string;
  readonly #journal: InPlaceJournal;
  readonly #step: () => void;
  #count = 0;

  constructor({ paths, beforeStep }: BringOptions, journal: InPlaceJournal, want: string, other: string) {
    this.#root = paths.root;
    this.#want = `${paths.update}/${want}`;
    this.#other = `${paths.update}/${other}`;
    this.#temporary = temporaryOf(paths);
    this.#journal = journal;
    this.#step = beforeStep ?? (() => {});
  }

  /** The version that is left keeps what stands there now: what was changed since belongs to it. */
  keep(): void {
    const [inRoot, inOther] = [lookerIn(this.#root), lookerIn(this.#other)];
    for (const path of this.#journal.files) {
      const there = inRoot(path);
      const known = inOther(path);
      if (known !== undefined && isDirectory(known.mode)) continue;
      const kept = `${this.#other}/${path}`;
      if (isOther(there)) {
        if (known !== undefined && sameInode(there, known)) continue;
        if (this.#makeWay(path)) this.#linkOver(`${this.#root}/${path}`, kept);
      } else if (there === undefined && known !== undefined) this.#do(() => unlink(kept as RawPath));
    }
    for (const path of this.#journal.directories.toReversed()) this.#attributes(this.#root, this.#other, path);
  }

  run(): void {
    removeContents(this.#temporary as RawPath, false);
    this.#makeDirectories();
    this.#put(true);
    this.#put(false);
    this.#removeFiles();
    this.#removeDirectories();
    // Where a directory was in the way.
    this.#put(false);
    for (const path of this.#journal.directories.toReversed()) this.#attributes(this.#want, this.#root, path);
    this.#attributes(this.#want, this.#root, '');
  }

  #makeDirectories(): void {
    const files = new Set<string>(this.#journal.files);
    const inWant = lookerIn(this.#want);
    for (const path of this.#journal.directories) {
      const wanted = inWant(path);
      if (wanted === undefined || !isDirectory(wanted.mode)) continue;
      const place = `${this.#root}/${path}`;
      // What is above it in the wanted version was made before it.
      const there = look(place);
      if (there !== undefined && isDirectory(there.mode)) continue;
      // It stands there by the version that is left, or is of neither.
      if (there !== undefined && files.has(path)) this.#do(() => unlink(place as RawPath));
      else if (there !== undefined) this.#putAside(path);
      this.#do(() => makeDirectory(place as RawPath, 0o700));
      this.#attributes(this.#want, this.#root, path);
    }
  }

  /** `missing`: only what is not there yet. */
  #put(missing: boolean): void {
    const [inRoot, inWant] = [lookerIn(this.#root), lookerIn(this.#want)];
    for (const path of this.#journal.files) {
      const wanted = inWant(path);
      if (!isOther(wanted)) continue;
      const there = inRoot(path);
      if (there !== undefined && (missing || isDirectory(there.mode) || sameInode(there, wanted))) continue;
      this.#linkOver(`${this.#want}/${path}`, `${this.#root}/${path}`);
    }
  }

  #removeFiles(): void {
    const [inRoot, inWant] = [lookerIn(this.#root), lookerIn(this.#want)];
    for (const path of this.#journal.files) {
      if (isOther(inWant(path)) || !isOther(inRoot(path))) continue;
      this.#do(() => unlink(`${this.#root}/${path}` as RawPath));
    }
  }

  #removeDirectories(): void {
    const [inRoot, inWant] = [lookerIn(this.#root), lookerIn(this.#want)];
    for (const path of this.#journal.directories.toReversed()) {
      const wanted = inWant(path);
      if (wanted !== undefined && isDirectory(wanted.mode)) continue;
      const there = inRoot(path);
      if (there === undefined || !isDirectory(there.mode)) continue;
      this.#step();
      try {
        removeDirectory(`${this.#root}/${path}` as RawPath);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOTEMPTY' && code !== 'EBUSY' && code !== 'EEXIST') throw error;
        if (wanted !== undefined) this.#putAside(path);
      }
    }
  }

  /** A directory of `to` gets the attributes of the same one in `from`, where both have it. */
  #attributes(from: string, to: string, path: string): void {
    const [wanted, there] = [lookerIn(from)(path), lookerIn(to)(path)];
    if (wanted === undefined || there === undefined || !isDirectory(wanted.mode) || !isDirectory(there.mode)) return;
    this.#do(() => copyAttributes(`${from}/${path}` as RawPath, wanted, `${to}/${path}` as RawPath, there));
  }

  /** Directories of the version that is left, down to where a path is kept; false where it has something else on the way. */
  #makeWay(path: string): boolean {
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
      const place = `${this.#other}/${path.slice(0, end)}`;
      const there = look(place);
      if (there === undefined) this.#do(() => makeDirectory(place as RawPath, 0o700));
      else if (!isDirectory(there.mode)) return false;
    }
    return true;
  }

  #linkOver(from: string, to: string): void {
    this.#count += 1;
    const between = `${this.#temporary}/${this.#count}` as RawPath;
    this.#do(() => link(from as RawPath, between));
    this.#do(() => renameSync(Buffer.from(between, 'latin1'), Buffer.from(to, 'latin1')));
  }

  #putAside(path: string): void {
    let aside = `${this.#root}/${path}.imprint-aside`;
    while (look(aside) !== undefined) aside += '~';
    this.#do(() => renameSync(Buffer.from(`${this.#root}/${path}`, 'latin1'), Buffer.from(aside, 'latin1')));
  }

  #do(change: () => void): void {
    this.#step();
    change();
  }
}
