import { readFile, writeFile } from 'node:fs/promises';
import type { Digest } from '../../foundation/brand.ts';
import { rawPath } from '../../foundation/brand.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { BaseSurvey } from '../../machine/edit-rules.ts';
import { status } from '../../native/status.ts';
import type { Store, StoredVersion } from '../../store/store.ts';
import { findEnclosurePoints } from '../../system/enclosure-points.ts';
import { type CheckoutHints, isLater, readCheckoutHints } from '../../tree/checkout-hints.ts';
import { removeContents } from '../../tree/remove-contents.ts';
import { restoreTree } from '../../tree/restore-tree.ts';
import type { Context } from '../context.ts';
import type { HeldEdit } from './edit-folder.ts';
import { type EditPlace, type EditState, writeEditState } from './edit-state.ts';

/** What a new edit is asked to become. */
export interface EditPlan {
  version: StoredVersion;
  image: string;
  tag?: string | undefined;
  message?: string | undefined;
  /** Of a build, its recipe; and globs of what it shall leave out beside the default ones. */
  recipe?: string;
  excludes?: readonly string[];
}

/** Writes the version's tree into the edit, and down what it was: from then on it can be worked in. Errors: those of `restoreTree`. */
export async function prepareEdit(context: Context, edit: HeldEdit, plan: EditPlan, task: Task): Promise<EditState> {
  const { record } = plan.version;
  const state: EditState = {
    format: 1,
    id: edit.id,
    from: `${record.image}:${record.number}`,
    base: { image: record.image, number: record.number, digest: record.digest },
    image: plan.image,
    ...(plan.tag === undefined ? {} : { tag: plan.tag }),
    ...(plan.message === undefined ? {} : { message: plan.message }),
    ...(plan.recipe === undefined ? {} : { recipe: plan.recipe }),
    begun: new Date(context.clock.now()).toISOString(),
    stage: 'preparing',
    boot: await bootOfThisMachine(),
    durable: false,
    missing: [],
    facts: { isSystem: false, excludes: [], secrets: [] },
  };
  await writeEditState(edit.place, state);
  return fillEdit(context, edit.place, state, task, plan.excludes);
}

/** Begins an edit's tree again from its version: what a process left that was killed while it wrote it, or a power cut. */
export async function refillEdit(context: Context, edit: HeldEdit, state: EditState, task: Task): Promise<EditState> {
  const again: EditState = { ...state, stage: 'preparing', boot: await bootOfThisMachine(), durable: false };
  await writeEditState(edit.place, again);
  removeContents(rawPath(edit.place.root), true);
  return fillEdit(context, edit.place, again, task);
}

/** Whether what is in the tree is what was done there. */
export async function isWhole(state: EditState): Promise<boolean> {
  if (state.stage === 'preparing') return false;
  return state.durable || state.boot === (await bootOfThisMachine());
}

async function fillEdit(
  context: Context,
  place: EditPlace,
  state: EditState,
  task: Task,
  excludes: readonly string[] = [],
): Promise<EditState> {
  if (state.base === undefined) throw new ImprintError('edit-not-found', { edit: state.id });
  const store = await context.store();
  const digest = state.base.digest as Digest;
  await task.part('check out', (part) => restoreTree({ store, version: digest, target: place.root, task: part }));
  const points = await findEnclosurePoints(place.root);
  const survey = new BaseSurvey(excludes);
  const { hints, newest } = await readCheckoutHints(surveyed(store, digest, survey), rawPath(place.root));
  await writeFile(place.hintsFile, hints);
  await waitForClock(context, place, newest);
  const filled: EditState = { ...state, ...points, facts: survey.facts(), stage: 'open' };
  await writeEditState(place, filled);
  return filled;
}

async function* surveyed(store: Store, digest: Digest, survey: BaseSurvey) {
  for await (const entries of store.entries(digest)) {
    for (const entry of entries) survey.add(entry);
    yield entries;
  }
}

/** Waits until a change made now has a later time than all that was written: the clock of a file system ticks slower than ours. */
async function waitForClock(context: Context, place: EditPlace, newest: CheckoutHints['newest']): Promise<void> {
  const probe = `${place.directory}/clock`;
  for (let tries = 0; tries < 1000; tries += 1) {
    await writeFile(probe, String(tries));
    if (isLater(status(rawPath(probe)), newest)) return;
    await context.clock.sleep(4);
  }
  throw new ImprintError('io-failed', {
    operation: 'writing',
    path: probe,
    problem: 'the clock of its file system stands still',
  });
}

/** Names this boot: what a later one finds may not be what this one wrote. */
export async function bootOfThisMachine(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
