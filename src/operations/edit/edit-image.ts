import type { EditInput, EditOutput } from '../../contract/operations/edits.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { commandLine } from '../../system/run.ts';
import type { Context } from '../context.ts';
import { commitEdit, requireWritableStore } from './commit-edit.ts';
import { createEdit, type HeldEdit, holdEdit, removeEdit } from './edit-folder.ts';
import { type EditState, readEditState, writeEditState } from './edit-state.ts';
import { isWhole, prepareEdit, refillEdit } from './prepare-edit.ts';
import { type Surroundings, workInEdit } from './work-in-edit.ts';

/** Who asks for an edit, and sits at its shell. */
export interface EditStage extends Surroundings {
  /** Runs a part that takes time as a task that can be watched. */
  step<Result>(name: string, work: (task: Task) => Promise<Result>): Promise<Result>;
  /** Runs what has the terminal to itself. */
  attend<Result>(work: () => Promise<Result>): Promise<Result>;
  /** A remark for people. */
  say(text: string): void;
}

/**
 * A shell, or a command, in a writable copy of a version. When it ends with 0, what it did becomes the next version; with anything else
 * it is thrown away. Whatever else ends it (a signal, a full disk while the version is made) keeps the edit, to go on with.
 *
 * Errors: those of `imageEdit`.
 */
export async function editImage(context: Context, input: EditInput, stage: EditStage): Promise<EditOutput> {
  if (process.geteuid?.() !== 0) throw new ImprintError('not-root', { action: 'Editing an image' });
  await requireWritableStore(context, false);
  const { edit, state } = 'resume' in input ? await resume(context, input, stage) : await begin(context, input, stage);
  await using held = edit;
  const what = state.from;
  const command = input.command.length > 0 ? commandLine(input.command[0] ?? '', input.command.slice(1)) : 'the shell';
  try {
    if (input.command.length === 0)
      stage.say(
        `You are in a copy of ${what}. Leave with exit 0 to make a version of it, with exit 1 to throw it away.`,
      );
    const status = await stage.attend(() => workInEdit(context, held, state, input.command, stage));
    if (status === 0) {
      const output = await stage.step(`commit ${held.id}`, (task) => commitEdit(context, held, state, task));
      await removeEdit(held);
      return output;
    }
    if (input.keep) throw new ImprintError('edit-kept', { edit: held.id, command, status });
    await stage.step(`discard ${held.id}`, () => removeEdit(held));
    throw new ImprintError('edit-discarded', { reference: what, command, status });
  } catch (thrown) {
    const error = toImprintError(thrown);
    if (error.code === 'edit-unfit') await removeEdit(held);
    else if (error.code !== 'edit-discarded' && error.code !== 'edit-kept') stage.say(keptWords(held.id));
    throw error;
  }
}

function keptWords(id: string): string {
  return `The edit ${id} is kept. Go on: imprint edit --resume ${id} · throw it away: imprint edit --discard ${id}`;
}

async function begin(
  context: Context,
  input: Extract<EditInput, { reference: string }>,
  stage: EditStage,
): Promise<{ edit: HeldEdit; state: EditState }> {
  const version = await (await context.store()).resolve(input.reference);
  const image = input.name ?? version.record.image;
  const words = input.command.length === 0 ? undefined : commandLine(input.command[0] ?? '', input.command.slice(1));
  const message = input.message ?? words?.slice(0, 4000);
  const edit = await createEdit(context.paths.data, image);
  try {
    const state = await stage.step(`prepare ${edit.id}`, (task) =>
      prepareEdit(context, edit, { version, image, tag: input.tag, message }, task),
    );
    return { edit, state };
  } catch (error) {
    await removeEdit(edit);
    await edit[Symbol.asyncDispose]();
    throw error;
  }
}

async function resume(
  context: Context,
  input: Extract<EditInput, { resume: string }>,
  stage: EditStage,
): Promise<{ edit: HeldEdit; state: EditState }> {
  const edit = await holdEdit(context.paths.data, input.resume, context.clock);
  try {
    const found = await readEditState(edit.place);
    if (found === undefined || found.recipe !== undefined)
      throw new ImprintError('edit-not-found', { edit: input.resume });
    const { tag = found.tag, message = found.message } = input;
    let state: EditState = {
      ...found,
      ...(tag === undefined ? {} : { tag }),
      ...(message === undefined ? {} : { message }),
    };
    if (!(await isWhole(state))) {
      stage.say('Its tree was not all on the disk when it was cut short: it begins again from its version.');
      state = await stage.step(`prepare ${edit.id}`, (task) => refillEdit(context, edit, state, task));
    }
    await writeEditState(edit.place, state);
    return { edit, state };
  } catch (error) {
    await edit[Symbol.asyncDispose]();
    throw error;
  }
}
