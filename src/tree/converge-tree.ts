import { setImmediate } from 'node:timers/promises';
import { type Digest, displayPath, type RawPath } from '../foundation/brand.ts';
import { ImprintError, toImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { Entry, WantedEntries } from '../image/entry.ts';
import { close, open, openFlags, syncFileSystem } from '../native/files.ts';
import { status } from '../native/status.ts';
import { ContentCheck } from './check-content.ts';
import { ConvergePlan, type ConvergePlanOptions, convergeAction } from './converge-plan.ts';
import { type ChunkSource, ConvergeWriter } from './converge-writer.ts';
import { hasAttributes, isOfKind } from './entry-attributes.ts';

/** The version that a tree is to become, as `UpdateContent` has it. */
export interface TreeContent {
  readonly digest: Digest;
  entries(): AsyncIterable<Entry[]>;
  entries(wanted: WantedEntries): AsyncIterable<(Entry | undefined)[]>;
  /** Bytes of a chunk by its hash in hexadecimal, verified; asked for one after another. */
  content: ChunkSource;
}

export interface ConvergeOptions extends Omit<ConvergePlanOptions, 'to'> {
  to: TreeContent;
  /** Called with the plan before the first write; what it throws ends it there. */
  planned?: (plan: ConvergePlan) => void | Promise<void>;
}

/** A tree that has become a version. */
export interface ConvergedTree {
  /** Files written, whole or in places; bytes of content written for them; paths taken away; entries that were right already. */
  files: number;
  bytes: number;
  removed: number;
  kept: number;
  warnings: string[];
  /**
   * Holds all that was written against the version once more, from the disk if the file system was mounted anew since. `target`: where it is mounted
   * now; `except`: what was changed since, by whoever asks; directories may then have another time. Errors: `tree-differs`.
   */
  verify(target: RawPath, task: Task, except?: (path: RawPath) => boolean): Promise<{ bytes: number }>;
}

/**
 * Makes a tree that nobody uses exactly a version, but for what `keep` names. What is right already is left alone: time, reads and writes are
 * in proportion to what differs, where `from` tells what the tree was. Without it each file is read and held against its hashes. A cut leaves
 * neither the one nor the other: `from` must not be given for such a tree again, so it is for the caller to note that before. Not flushed.
 *
 * Errors: `disk-full`, `io-failed`, `not-root`, `read-only`, `interrupted`, and those of the content.
 */
export async function convergeTree(options: ConvergeOptions): Promise<ConvergedTree> {
  try {
    const plan = await ConvergePlan.make(options);
    await options.planned?.(plan);
    return await write(options, plan);
  } catch (error) {
    throw toImprintError(error);
  }
}

/** Bytes written between two looks at whether to go on. */
const breathBytes = 8 << 20;

async function write({ target, to, task }: ConvergeOptions, plan: ConvergePlan): Promise<ConvergedTree> {
  const writer = new ConvergeWriter(target);
  task.expect(plan.bytes, 'bytes');
  for (const { path, directory } of plan.removals.toReversed()) writer.remove(path, directory, plan.held.has(path));
  const finish: Entry[] = [];
  const content: ChunkSource = (hash) => to.content(hash);
  let breath = 0;
  for await (const work of workOf(to, plan)) {
    await setImmediate();
    for (const { entry, row } of work) {
      task.signal.throwIfAborted();
      const before = writer.bytes;
      const action = plan.actions.at(row);
      if (entry.type === 'directory') {
        if (action === convergeAction.make) writer.makeDirectory(entry);
        finish.push(entry);
      } else if (action === convergeAction.attributes) writer.attributes(entry);
      else if (action === convergeAction.link) writer.makeLink(entry);
      else if (action === convergeAction.patch) await writer.patchFile(entry, plan.patches.get(row) ?? [], content);
      else if (entry.type === 'file') await writer.makeFile(entry, content);
      else writer.makeOther(entry);
      if (writer.bytes > before) task.advance(writer.bytes - before);
      if (writer.bytes - breath < breathBytes) continue;
      breath = writer.bytes;
      await setImmediate();
    }
  }
  // The innermost first: making things in one changes its time.
  for (const entry of finish.toReversed()) writer.attributes(entry);
  return {
    files: plan.files,
    bytes: writer.bytes,
    removed: plan.removals.length,
    kept: plan.kept,
    warnings: writer.warnings,
    verify: (place, verifyTask, except) => verify({ to, plan, target: place, task: verifyTask, except }),
  };
}

/** The entries of a version for which something is to be done, with their numbers, in its order. All others are passed over unread. */
async function* workOf(to: TreeContent, plan: ConvergePlan): AsyncGenerator<{ entry: Entry; row: number }[]> {
  let row = 0;
  for await (const entries of to.entries(plan.isWork)) {
    const work: { entry: Entry; row: number }[] = [];
    for (const entry of entries) {
      if (entry !== undefined && plan.isWork(row)) work.push({ entry, row });
      row += 1;
    }
    if (work.length > 0) yield work;
  }
}

interface Verification {
  to: TreeContent;
  plan: ConvergePlan;
  target: RawPath;
  task: Task;
  except: ((path: RawPath) => boolean) | undefined;
}

async function verify({ to, plan, target, task, except }: Verification): Promise<{ bytes: number }> {
  const check = new ContentCheck();
  let wrong = 0;
  task.expect(plan.bytes, 'bytes');
  for await (const work of workOf(to, plan)) {
    task.signal.throwIfAborted();
    for (const { entry } of work) {
      if (entry.type === 'hardlink' || except?.(entry.path)) continue;
      const before = check.bytes;
      const place = (entry.path === '' ? target : `${target}/${entry.path}`) as RawPath;
      const problem = differs(entry, place, check, except === undefined);
      if (check.bytes > before) task.advance(check.bytes - before);
      if (problem === undefined) continue;
      wrong += 1;
      if (wrong <= shownProblems) task.warn(`${displayPath(entry.path)}: ${problem}`);
    }
  }
  if (wrong > 0) {
    const details = { directory: displayPath(target), reference: to.digest, count: String(wrong) };
    throw new ImprintError('tree-differs', details);
  }
  return { bytes: check.bytes };
}

const shownProblems = 20;

function differs(entry: Entry, place: RawPath, check: ContentCheck, times: boolean): string | undefined {
  try {
    const found = status(place);
    if (!isOfKind(entry, place, found)) return 'is something else';
    if (entry.type === 'file' && check.differing(place, entry)?.length !== 0) return 'holds something else';
    const { mtimeSeconds: seconds, mtimeNanoseconds: nanoseconds } = found;
    const timeless = entry.type === 'directory' && !times;
    const expected = timeless ? { ...entry, mtime: { seconds, nanoseconds } } : entry;
    return hasAttributes(expected, place, found) ? undefined : 'has other attributes';
  } catch (error) {
    return (error as Error).message;
  }
}

/** Has everything of the file system below `target` written to its device. */
export function syncTree(target: RawPath): void {
  const fd = open(target, openFlags.readOnly | openFlags.directory);
  try {
    syncFileSystem(fd);
  } finally {
    close(fd);
  }
}
