import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import type { RawPath } from '../../../foundation/brand.ts';
import { toImprintError } from '../../../foundation/errors.ts';
import type { Task } from '../../../foundation/task.ts';
import { comparePaths, type Entry } from '../../../image/entry.ts';
import { inPlaceNames, renderJournal } from '../../../machine/in-place-journal.ts';
import { agentPaths } from '../../../machine/installed-layout.ts';
import { setMode } from '../../../native/attributes.ts';
import { allocate, close, open, openFlags } from '../../../native/files.ts';
import { link, makeDirectory } from '../../../native/nodes.ts';
import { type FileStatus, isDirectory } from '../../../native/status.ts';
import { ConvergeWriter } from '../../../tree/converge-writer.ts';
import { removeContents } from '../../../tree/remove-contents.ts';
import { keptConfigurationPath, renderConfiguration } from '../kept-configuration.ts';
import type { UpdateContent } from '../update-content.ts';
import { copyAttributes } from './copy-attributes.ts';
import type { InPlacePlan, PlannedPath } from './in-place-plan.ts';
import { isOther, look, syncAll, type UpdatePaths, updatePaths, writeState, writeWhole } from './root-paths.ts';

/**
 * Lays an update in place ready on the root file system (docs/update.md): what is new, with all attributes, every chunk verified; a second name of what it
 * will replace; the journal. Nothing that the system uses is changed. Everything lasts when it returns; where it fails nothing is left.
 *
 * Errors: `disk-full`, `read-only`, `io-failed`, `chunk-missing`, `corrupt-pack`, `store-unreachable`, `interrupted`.
 */
export async function stageInPlace(plan: InPlacePlan, content: UpdateContent, task: Task): Promise<UpdatePaths> {
  const paths = updatePaths(plan.root, plan.id);
  try {
    mkdirSync(Buffer.from(paths.update, 'latin1'), { recursive: true, mode: 0o700 });
    // Olds are in there with their set-uid bits.
    setMode(`${paths.root}/.imprint` as RawPath, 0o700);
    const stage = new Stage(paths, plan, content);
    task.expect(plan.counts.bytes, 'bytes');
    for (const planned of plan.paths) {
      task.signal.throwIfAborted();
      task.advance(await stage.add(planned));
    }
    await stage.addState();
    stage.finish();
    for (const warning of stage.warnings) task.warn(warning);
    writeWhole(`${paths.update}/${inPlaceNames.plan}`, `${JSON.stringify(describe(plan))}\n`);
    writeWhole(`${paths.update}/${inPlaceNames.journal}`, renderJournal(stage.journal(plan.id)));
    reserveRoom(`${paths.update}/${inPlaceNames.reserve}`);
    syncAll(paths);
    writeState(paths, 'old');
    return paths;
  } catch (error) {
    removeContents(paths.update as RawPath, true);
    throw toImprintError(error);
  }
}

/** Bytes that the names and directories of an update may need beside what is there. */
const reserved = 8 << 20;

function reserveRoom(path: string): void {
  const fd = open(path as RawPath, openFlags.writeOnly | openFlags.create, 0o600);
  try {
    allocate(fd, 0, reserved);
  } finally {
    close(fd);
  }
}

/** What `plan.json` says. */
export interface InPlaceDescription {
  id: string;
  reference: string;
  from: string;
  to: string;
  /** ISO 8601. */
  staged: string;
}

function describe({ id, reference, from, to }: InPlacePlan): InPlaceDescription {
  return { id, reference, from, to, staged: new Date().toISOString() };
}

/** The two trees while they are filled. */
class Stage {
  readonly #paths: UpdatePaths;
  readonly #plan: InPlacePlan;
  readonly #content: UpdateContent;
  readonly #new: string;
  readonly #old: string;
  readonly #writer: ConvergeWriter;
  readonly #files = new Set<RawPath>();
  /** Directories in either tree, in the order in which they were made: outer ones first. */
  readonly #newDirectories = new Set<RawPath>();
  readonly #oldDirectories = new Set<RawPath>();
  /** Directories that the new version makes anew or gives other attributes. */
  readonly #wanted = new Map<RawPath, Entry>();
  readonly #gone = new Set<RawPath>();

  constructor(paths: UpdatePaths, plan: InPlacePlan, content: UpdateContent) {
    this.#paths = paths;
    this.#plan = plan;
    this.#content = content;
    this.#new = `${paths.update}/${inPlaceNames.new}`;
    this.#old = `${paths.update}/${inPlaceNames.old}`;
    for (const place of [this.#new, this.#old]) makeDirectory(place as RawPath, 0o755);
    this.#writer = new ConvergeWriter(this.#new as RawPath);
  }

  get warnings(): readonly string[] {
    return this.#writer.warnings;
  }

  /** Lays one path ready; bytes of content that were written for it. */
  async add(planned: PlannedPath): Promise<number> {
    const { path, wanted, directory } = planned;
    if (path === '') {
      // Both trees have their own root already.
      if (wanted !== undefined) this.#wanted.set(path, wanted);
      return 0;
    }
    this.#enter(path);
    // By its path alone it could be something behind a symbolic link.
    const there = planned.present ? look(`${this.#paths.root}/${path}`) : undefined;
    if (isOther(there)) this.#keepOld(path);
    else if (there !== undefined) this.#addDirectory(this.#old, this.#oldDirectories, path);
    if (wanted === undefined) {
      if (directory) this.#gone.add(path);
      return 0;
    }
    if (wanted.type === 'directory') {
      this.#addDirectory(this.#new, this.#newDirectories, path);
      this.#wanted.set(path, wanted);
      return 0;
    }
    this.#files.add(path);
    const before = this.#writer.bytes;
    await this.#make(planned, wanted);
    return this.#writer.bytes - before;
  }

  /** Which version it is belongs to what changes, so that it goes back with it. */
  async addState(): Promise<void> {
    const { recordText, signature, manifestFile, digest } = this.#content;
    const at = (name: string) => `${agentPaths.state}/${name}` as RawPath;
    const parts: [RawPath, string | Buffer | undefined][] = [
      [at('version.json'), recordText],
      [at('version.json.minisig'), signature],
    ];
    for (const [path, text] of parts) {
      this.#addOurs(path, text === undefined ? undefined : (place) => writeFileSync(place, text, { mode: 0o644 }));
    }
    this.#addOurs(at('manifest'), (place) => copyFileSync(manifestFile, place));
    // What the version has in /etc, also of files that are merged or kept: the next merge starts from it.
    const kept = await renderConfiguration(digest, this.#content.entries(), (_, hash) => this.#content.content(hash));
    this.#addOurs(keptConfigurationPath as RawPath, (place) => writeFileSync(place, kept, { mode: 0o600 }));
  }

  /** Attributes of directories, when all is in them; the innermost first. */
  finish(): void {
    const { root } = this.#paths;
    const newest = (path: RawPath) => this.#wanted.get(path) ?? this.#plan.directories.get(path);
    for (const path of ['' as RawPath, ...this.#newDirectories].reverse()) {
      const entry = newest(path);
      if (entry !== undefined) this.#writer.attributes({ ...entry, path });
      else copyOf(`${root}/${path}`, `${this.#new}/${path}`);
    }
    for (const path of ['' as RawPath, ...this.#oldDirectories].reverse())
      copyOf(`${root}/${path}`, `${this.#old}/${path}`);
  }

  journal(id: string): { id: string; files: RawPath[]; directories: RawPath[] } {
    const directories = new Set([...this.#oldDirectories, ...this.#newDirectories]);
    return { id, files: [...this.#files].sort(comparePaths), directories: [...directories].sort(comparePaths) };
  }

  async #make(planned: PlannedPath, wanted: Entry): Promise<void> {
    const { link: leader, content } = planned;
    if (leader !== undefined) this.#writer.makeLink({ ...wanted, target: leader });
    else if (content !== undefined) this.#makeMerged(wanted, content);
    else if (wanted.type === 'file') await this.#writer.makeFile(wanted, (hash) => this.#content.content(hash));
    else this.#writer.makeOther(wanted);
  }

  #makeMerged(wanted: Entry, content: Uint8Array): void {
    writeFileSync(Buffer.from(`${this.#new}/${wanted.path}`, 'latin1'), content, { mode: 0o600, flag: 'wx' });
    this.#writer.attributes(wanted);
  }

  #addOurs(path: RawPath, make: ((place: Buffer) => void) | undefined): void {
    this.#enter(path);
    if (isOther(look(`${this.#paths.root}/${path}`))) this.#keepOld(path);
    if (make === undefined) return;
    this.#files.add(path);
    make(Buffer.from(`${this.#new}/${path}`, 'latin1'));
  }

  #keepOld(path: RawPath): void {
    this.#files.add(path);
    link(`${this.#paths.root}/${path}` as RawPath, `${this.#old}/${path}` as RawPath);
  }

  /** The directories on the way, in each tree where that version has them. */
  #enter(path: RawPath): void {
    let real = true;
    for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1)) {
      const parent = path.slice(0, end) as RawPath;
      const there: FileStatus | undefined = real ? look(`${this.#paths.root}/${parent}`) : undefined;
      real = there !== undefined && isDirectory(there.mode);
      if (real) this.#addDirectory(this.#old, this.#oldDirectories, parent);
      const stays = !this.#files.has(parent) && !this.#gone.has(parent);
      if (stays || this.#wanted.has(parent)) this.#addDirectory(this.#new, this.#newDirectories, parent);
    }
  }

  #addDirectory(tree: string, known: Set<RawPath>, path: RawPath): void {
    if (known.has(path)) return;
    known.add(path);
    makeDirectory(`${tree}/${path}` as RawPath, 0o700);
  }
}

/** A directory's attributes from another, where that is there; else what a directory has by default. */
function copyOf(from: string, to: string): void {
  const [source, target] = [look(from), look(to)];
  if (target === undefined) return;
  if (source !== undefined && isDirectory(source.mode)) copyAttributes(from as RawPath, source, to as RawPath, target);
  else setMode(to as RawPath, 0o755);
}
