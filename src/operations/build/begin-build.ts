import type { Task } from '../../foundation/task.ts';
import { factsOfNewSystem } from '../../machine/edit-rules.ts';
import type { Recipe } from '../../machine/recipe.ts';
import { findEnclosurePoints } from '../../system/enclosure-points.ts';
import type { Context } from '../context.ts';
import type { HeldEdit } from '../edit/edit-folder.ts';
import { type EditState, writeEditState } from '../edit/edit-state.ts';
import { bootOfThisMachine, prepareEdit } from '../edit/prepare-edit.ts';
import { bootstrap } from './bootstrap.ts';
import { buildTraces } from './settle-tree.ts';

/** The tree that a build begins from. */
export interface BegunBuild {
  state: EditState;
  /** Packages that are still to be installed. */
  packages: readonly string[];
  /** Seconds since 1970 that everything carries which the build makes. */
  epoch: number;
}

/**
 * Makes what a recipe is based on. `given`: `SOURCE_DATE_EPOCH`, where the recipe itself names no time; without either it is that of the
 * packages' archive, or of the version.
 */
export async function beginBuild(
  context: Context,
  edit: HeldEdit,
  recipe: Recipe,
  name: string,
  given: string | undefined,
  task: Task,
): Promise<BegunBuild> {
  const named = recipe.epoch ?? (given !== undefined && /^\d{1,12}$/.test(given) ? Number(given) : undefined);
  const excludes = [...buildTraces, ...recipe.excludes];
  if (recipe.base.image !== undefined) {
    const version = await (await context.store()).resolve(recipe.base.image);
    const { tag, message } = recipe;
    const state = await prepareEdit(
      context,
      edit,
      { version, image: recipe.name, tag, message, recipe: name, excludes },
      task,
    );
    const made = Math.floor(Date.parse(version.record.created) / 1000);
    return { state, packages: recipe.packages, epoch: named ?? made };
  }
  const { suite = '' } = recipe.base;
  const state: EditState = {
    format: 1,
    id: edit.id,
    from: suite,
    image: recipe.name,
    ...(recipe.tag === undefined ? {} : { tag: recipe.tag }),
    ...(recipe.message === undefined ? {} : { message: recipe.message }),
    recipe: name,
    begun: new Date(context.clock.now()).toISOString(),
    stage: 'preparing',
    boot: await bootOfThisMachine(),
    // Nobody goes on with it after a power cut.
    durable: true,
    missing: [],
    facts: { ...factsOfNewSystem, excludes: [...factsOfNewSystem.excludes, ...excludes] },
  };
  await writeEditState(edit.place, state);
  // What apt needs must be laid first; else one run for all is quickest.
  const later = recipe.files.some(({ early }) => early);
  const released = await task.part(`bootstrap ${suite}`, (part) =>
    bootstrap(context, edit.place, recipe, later ? [] : recipe.packages, part),
  );
  const open: EditState = { ...state, ...(await findEnclosurePoints(edit.place.root)), stage: 'open' };
  await writeEditState(edit.place, open);
  const now = Math.floor(context.clock.now() / 1000);
  return { state: open, packages: later ? recipe.packages : [], epoch: named ?? released ?? now };
}
