import { lstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { VersionStats } from '../../contract/image.ts';
import type { EditOutput } from '../../contract/operations/edits.ts';
import { type Digest, displayPath, type RawPath, rawPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { editRules } from '../../machine/edit-rules.ts';
import { parseOsRelease } from '../../machine/source-facts.ts';
import { openWritableStore } from '../../store/open-store.ts';
import type { StoredVersion } from '../../store/store.ts';
import type { StoreTransaction, WritableStore } from '../../store/transaction.ts';
import { removeMountPoints } from '../../system/enclosure-points.ts';
import { rootFiles } from '../../system/root-files.ts';
import { type CapturedTree, captureDirectory } from '../../tree/capture-directory.ts';
import { findSigner, versionsOf } from '../capture-image.ts';
import type { Context } from '../context.ts';
import type { HeldEdit } from './edit-folder.ts';
import type { EditState } from './edit-state.ts';

/** How long another writer of the store is waited for, in milliseconds. */
const patience = 15 * 60_000;

/** Finds out before any work is done that its version could be kept. `create`: makes the store where there is none. */
export async function requireWritableStore(context: Context, create: boolean): Promise<void> {
  await (await openWritableStore(context.storeLocation, { create })).close();
}

/**
 * Makes what an edit holds the next version of its image. Only what changed since the checkout is read. Where nothing changed there is no
 * new version.
 *
 * Errors: those of a capture; the edit is as before then, and can be committed again.
 */
export async function commitEdit(context: Context, edit: HeldEdit, state: EditState, task: Task): Promise<EditOutput> {
  await removeMountPoints(edit.place.root, state.missing);
  const signer = await findSigner(context, task);
  const store = await openWritableStore(context.storeLocation, signer === undefined ? {} : { signer });
  try {
    await using transaction = await beginWaiting(context, store, workName(state), task);
    const versions = await versionsOf(store, state.image);
    const base = await baseOf(store, state);
    const scrubbed = new Set<RawPath>();
    const tree = await task.part('read what changed', (part) =>
      captureEdit({ edit, state, store, base, transaction, scrubbed, task: part }),
    );
    const same = sameVersion(tree.manifest.digest, state, versions);
    if (same !== undefined) return outputOf('unchanged', same, tree, tree.stats, scrubbed);
    const newest = versions.at(-1);
    const overtaken = wasOvertaken(state, newest);
    const warnings = [...tree.warnings];
    if (overtaken && newest !== undefined) {
      const words = `${state.from} was edited; what ${state.image}:${newest.record.number} has beyond it is not in this version`;
      warnings.push(words);
      task.warn(words);
    }
    const version = await transaction.commit({
      image: state.image,
      digest: tree.manifest.digest,
      manifestBytes: tree.manifest.bytes,
      ...parentOf(state, newest),
      created: new Date(context.clock.now()).toISOString(),
      ...(state.message === undefined ? {} : { message: state.message }),
      source: await sourceOf(edit, state, base),
      stats: tree.stats,
      excluded: base?.record.excluded ?? [],
      scrubbed: [...new Set([...(base?.record.scrubbed ?? []), ...scrubbed])],
      warnings,
      ...(state.tag === undefined ? {} : { tags: [state.tag] }),
    });
    return outputOf('committed', version, tree, version.record.stats, scrubbed);
  } finally {
    await store.close();
  }
}

interface EditCapture {
  edit: HeldEdit;
  state: EditState;
  store: WritableStore;
  base: StoredVersion | undefined;
  transaction: StoreTransaction;
  scrubbed: Set<RawPath>;
  task: Task;
}

async function captureEdit(capture: EditCapture): Promise<CapturedTree> {
  const { edit, state, store, base, transaction, scrubbed, task } = capture;
  const root = rawPath(edit.place.root);
  const rules = editRules(state.facts);
  const isFile = (path: RawPath) =>
    lstatSync(Buffer.from(`${root}/${path}`, 'latin1'), { throwIfNoEntry: false })?.isFile() ?? false;
  const hints = await readFile(edit.place.hintsFile).catch(() => undefined);
  return captureDirectory({
    directory: root,
    transaction,
    task,
    once: true,
    ...(base === undefined ? {} : { expectedBytes: base.record.stats.contentBytes }),
    // Where the version was removed meanwhile, all is read: the tree is whole without it.
    ...(base === undefined || hints === undefined
      ? {}
      : { previous: { store, digest: base.record.digest as Digest, hints } }),
    exclude: (path, isDirectory) => {
      if (rules.excludes(path, isDirectory)) return true;
      const action = rules.secret(path, isDirectory, () => isFile(path));
      if (action === undefined) return false;
      if (action === 'empty' && !isFile(path)) return false;
      if (action === 'remove' || lstatSync(Buffer.from(`${root}/${path}`, 'latin1')).size > 0) {
        scrubbed.add(path);
        task.log(`${action === 'remove' ? 'left out' : 'emptied'}, as a secret of one machine: /${displayPath(path)}`);
      }
      return action === 'remove';
    },
    substitute: (path, status) =>
      status.size > 0 && rules.secret(path, false, () => true) === 'empty' ? new Uint8Array(0) : undefined,
  });
}

/** The version that it came to, where it is there already: nothing was changed, or its process was killed just after it was made. */
function sameVersion(
  digest: Digest,
  { base, recipe, begun }: EditState,
  versions: readonly StoredVersion[],
): StoredVersion | undefined {
  // A build that comes to what the last one came to has nothing new to say.
  if (recipe !== undefined) return versions.at(-1)?.record.digest === digest ? versions.at(-1) : undefined;
  return versions.findLast(
    ({ record }) =>
      record.digest === digest &&
      ((record.image === base?.image && record.number === base.number) ||
        (record.parent === base?.digest && record.created >= begun)),
  );
}

async function baseOf(store: WritableStore, { base }: EditState): Promise<StoredVersion | undefined> {
  if (base === undefined) return undefined;
  return (await versionsOf(store, base.image)).find(({ record }) => record.number === base.number);
}

/** Whether the image got a version that this one does not come from. */
function wasOvertaken({ base, image, recipe }: EditState, newest: StoredVersion | undefined): boolean {
  if (recipe !== undefined || base === undefined || newest === undefined) return false;
  return image === base.image && newest.record.number > base.number;
}

/** An edit comes from its base; a build from the build before. */
function parentOf({ base, recipe }: EditState, newest: StoredVersion | undefined): { parent?: Digest } {
  const parent = recipe === undefined ? base?.digest : newest?.record.digest;
  return parent === undefined ? {} : { parent: parent as Digest };
}

/** Begins a change of the store; where another writer has it, waits until that is done. */
async function beginWaiting(
  context: Context,
  store: WritableStore,
  owner: string,
  task: Task,
): Promise<StoreTransaction> {
  const until = context.clock.now() + patience;
  for (let told = false; ; told = true) {
    try {
      return await store.begin(owner, task);
    } catch (error) {
      const locked = error instanceof ImprintError && error.code === 'store-locked';
      if (!locked || context.clock.now() > until) throw error;
      if (!told) task.log(`${error.message} Waiting until it is done.`);
      await context.clock.sleep(250);
      task.signal.throwIfAborted();
    }
  }
}

/** The machine that the image is of, and what system it has now. */
async function sourceOf(edit: HeldEdit, state: EditState, base: StoredVersion | undefined) {
  const text = await rootFiles(edit.place.root)
    .read('etc/os-release')
    .catch(() => undefined);
  const system = text === undefined ? undefined : parseOsRelease(text);
  const before = base?.record.source ?? { bootMode: 'unknown' as const, disks: [], fileSystems: [] };
  return { ...before, location: workName(state), ...(system === undefined ? {} : { system }) };
}

function workName({ from, recipe }: EditState): string {
  return recipe === undefined ? `edit of ${from}` : `recipe ${recipe} on ${from}`;
}

function outputOf(
  outcome: EditOutput['outcome'],
  version: StoredVersion,
  tree: CapturedTree,
  stats: VersionStats,
  scrubbed: ReadonlySet<RawPath>,
): EditOutput {
  const { record, tags, signature } = version;
  return {
    outcome,
    reference: `${record.image}:${record.number}`,
    image: record.image,
    number: record.number,
    digest: record.digest,
    tags,
    signed: signature !== undefined,
    stats,
    unchangedFiles: tree.unchanged,
    scrubbed: [...scrubbed],
    warnings: outcome === 'unchanged' ? [] : record.warnings,
  };
}
