import type { RawPath } from '../foundation/brand.ts';
import { type Entry, typeBits } from '../image/entry.ts';
import { close, open, openFlags, truncate } from '../native/files.ts';
import { link, makeDirectory, makeNode, symlink } from '../native/nodes.ts';
import type { Attributes } from './restore-message.ts';
import type { RestorePlan } from './restore-plan.ts';
import { type Creator, creationMode, explain, setAttributes } from './set-attributes.ts';

const { writeOnly, create, exclusive, noFollow } = openFlags;

/**
 * Makes all of a tree but the content of its files: directories first, closed to others and without attributes; these come
 * when everything is in them, for a default ACL or a set-group-id bit would show in what is made below.
 */
export class SkeletonWriter {
  readonly warnings: string[] = [];
  readonly #plan: RestorePlan;
  readonly #base: string;
  readonly #target: RawPath;
  readonly #creator: Creator;

  constructor(plan: RestorePlan, target: RawPath, creator: Creator) {
    this.#plan = plan;
    this.#target = target;
    this.#base = target === '/' ? '' : target;
    this.#creator = creator;
  }

  makeDirectories(): void {
    for (const { path } of this.#plan.directories) {
      if (path === '') continue;
      this.#try(path, (place) => {
        try {
          makeDirectory(place, 0o700);
        } catch (error) {
          // `lost+found` of a new file system, or what leads to one that is mounted below: it was found to be empty.
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        }
      });
    }
  }

  /** Symlinks, devices, FIFOs, sockets, and files without data. */
  makeOthers(): void {
    for (const entry of this.#plan.others) {
      this.#try(entry.path, (place) => {
        if (entry.type === 'file') return this.#emptyFile(entry, place);
        if (entry.type === 'symlink') symlink(entry.target as RawPath, place);
        else {
          makeNode(
            place,
            typeBits[entry.type as keyof typeof typeBits],
            creationMode(entry.mode),
            entry.major,
            entry.minor,
          );
        }
        this.#attributes(place, place, entry, entry.type === 'symlink' ? 'symlink' : 'other');
      });
    }
  }

  /** Creates the files that several threads write; who writes last gives them their attributes. */
  makeShared(files: Iterable<number>): void {
    for (const file of files) {
      const { paths, mode, sparseSize } = this.#plan.files;
      this.#try(paths.at(file), (place) => {
        const fd = open(place, writeOnly | create | exclusive | noFollow, creationMode(mode.at(file)));
        try {
          if (sparseSize.at(file) >= 0) truncate(fd, sparseSize.at(file));
        } finally {
          close(fd);
        }
      });
    }
  }

  makeHardlinks(): void {
    for (const { path, target } of this.#plan.hardlinks) {
      this.#try(path, (place) => link(`${this.#base}/${target}` as RawPath, place));
    }
  }

  /** Attributes of directories, the innermost first: making things in one changes its time. */
  finishDirectories(): void {
    for (const entry of this.#plan.directories.toReversed()) {
      this.#try(entry.path, (place) => this.#attributes(place, place, entry, 'other'));
    }
  }

  #emptyFile(entry: Entry, place: RawPath): void {
    const fd = open(place, writeOnly | create | exclusive | noFollow, creationMode(entry.mode));
    try {
      if ((entry.size ?? 0) > 0) truncate(fd, entry.size ?? 0);
      this.#attributes(fd, place, entry, 'file');
    } finally {
      close(fd);
    }
  }

  #attributes(at: number | RawPath, path: RawPath, entry: Entry, kind: 'file' | 'symlink' | 'other'): void {
    const { mode, uid, gid, mtime, xattrs } = entry;
    const attributes: Attributes = { mode, uid, gid, ...mtime, xattrs };
    this.warnings.push(...setAttributes(at, path, attributes, this.#creator, kind));
  }

  #try(path: RawPath, work: (place: RawPath) => void): void {
    const place = (path === '' ? this.#target : `${this.#base}/${path}`) as RawPath;
    try {
      work(place);
    } catch (error) {
      throw explain(error, place);
    }
  }
}
