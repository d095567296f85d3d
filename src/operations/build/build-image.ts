import { basename } from 'node:path';
import type { BuildInput } from '../../contract/operations/builds.ts';
import type { EditOutput } from '../../contract/operations/edits.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { packageManagers } from '../../machine/package-managers.ts';
import type { Recipe } from '../../machine/recipe.ts';
import { rootFiles } from '../../system/root-files.ts';
import type { Context } from '../context.ts';
import { commitEdit, requireWritableStore } from '../edit/commit-edit.ts';
import { createEdit, type HeldEdit, removeEdit } from '../edit/edit-folder.ts';
import { type EditState, writeEditState } from '../edit/edit-state.ts';
import { workInEdit } from '../edit/work-in-edit.ts';
import { beginBuild } from './begin-build.ts';
import { layFile } from './lay-files.ts';
import { readRecipe } from './read-recipe.ts';
import { settleTree } from './settle-tree.ts';

/** Who asks for a build. */
export interface BuildStage {
  environment: Readonly<Record<string, string | undefined>>;
  say(text: string): void;
}

/** A build that goes on: what its steps work with. */
interface Build {
  context: Context;
  edit: HeldEdit;
  state: EditState;
  recipe: Recipe;
  /** Of the recipe. */
  directory: string;
  /** Seconds since 1970 that everything carries which it makes. */
  epoch: number;
  environment: BuildStage['environment'];
}

/**
 * Makes a version from a recipe: a Debian suite or a version of an image, packages, files, scripts. Where a step fails there is no version;
 * with `keep` its tree stays as an edit. Where it comes to what the newest version is already, none is made.
 *
 * Errors: those of `imageBuild`.
 */
export async function buildImage(
  context: Context,
  input: BuildInput,
  stage: BuildStage,
  task: Task,
): Promise<EditOutput> {
  if (process.geteuid?.() !== 0) throw new ImprintError('not-root', { action: 'Building an image' });
  const { recipe, scripts, directory } = await readRecipe(input);
  await requireWritableStore(context, true);
  const began = context.clock.now() / 1000;
  await using edit = await createEdit(context.paths.data, recipe.name);
  let build: Build | undefined;
  try {
    const begun = await beginBuild(
      context,
      edit,
      recipe,
      basename(input.recipe),
      stage.environment.SOURCE_DATE_EPOCH,
      task,
    );
    build = { context, edit, ...begun, recipe, directory, environment: stage.environment };
    const { root } = edit.place;
    for (const file of recipe.files.filter(({ early }) => early)) await layFile(root, file, directory);
    if (begun.packages.length > 0)
      await task.part('install packages', (part) => install(build as Build, begun.packages, part));
    for (const file of recipe.files.filter(({ early }) => !early)) await layFile(root, file, directory);
    for (const [index, script] of scripts.entries()) {
      const name = `script ${index + 1} of ${scripts.length}`;
      await task.part(name, (part) =>
        runStep(build as Build, name, ['sh', '-c', scriptRunner], part, { IMPRINT_SCRIPT: script }),
      );
    }
    await settleTree(root, began, begun.epoch);
    const output = await commitEdit(context, edit, begun.state, task);
    await removeEdit(edit);
    return output;
  } catch (thrown) {
    const error = toImprintError(thrown);
    if (input.keep && build !== undefined && error.code === 'build-failed') await keep(edit, build.state, stage);
    else await removeEdit(edit);
    throw error;
  }
}

/** Writes the script where only the running build has it, and becomes it. */
const scriptRunner =
  'printf %s "$IMPRINT_SCRIPT" > /run/imprint/script && chmod 700 /run/imprint/script && unset IMPRINT_SCRIPT && exec /run/imprint/script';

async function install(build: Build, packages: readonly string[], task: Task): Promise<void> {
  const files = rootFiles(build.edit.place.root);
  for (const manager of packageManagers) {
    if (!(await files.exists(manager.program))) continue;
    for (const command of manager.install(packages, build.recipe.recommends))
      await runStep(build, command.slice(0, 3).join(' '), command, task);
    return;
  }
  throw new ImprintError('build-failed', {
    image: build.recipe.name,
    step: 'installing packages',
    status: 'no package manager that is known in the tree',
  });
}

async function runStep(
  build: Build,
  name: string,
  command: readonly string[],
  task: Task,
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const status = await workInEdit(build.context, build.edit, build.state, command, {
    streams: ['ignore', 'pipe', 'pipe'],
    onLine: (line) => task.log(line),
    environment: build.environment,
    interactive: false,
    variables: { SOURCE_DATE_EPOCH: String(build.epoch), ...variables },
    signal: task.signal,
  });
  if (status !== 0) throw new ImprintError('build-failed', { image: build.recipe.name, step: name, status });
}

/** Lets the tree that was built be kept and resumed as an edit. */
async function keep(edit: HeldEdit, state: EditState, stage: BuildStage): Promise<void> {
  const { recipe: _, ...kept } = state;
  await writeEditState(edit.place, kept);
  stage.say(
    `Its tree is kept. Look around: imprint edit --resume ${edit.id} · throw it away: imprint edit --discard ${edit.id}`,
  );
}
