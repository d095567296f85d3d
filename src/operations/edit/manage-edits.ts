import type { z } from 'zod';
import type { editDiscard, editList } from '../../contract/operations/edits.ts';
import type { Context } from '../context.ts';
import { findEdits, holdEdit, removeEdit } from './edit-folder.ts';

/** Edits that go on, and those that were cut short and can be resumed. */
export async function listEdits(context: Context): Promise<z.output<typeof editList.output>> {
  return { edits: await findEdits(context.paths.data) };
}

/** Throws an edit away that nobody works in. */
export async function discardEdit(
  context: Context,
  { id }: z.output<typeof editDiscard.input>,
): Promise<z.output<typeof editDiscard.output>> {
  await using edit = await holdEdit(context.paths.data, id, context.clock);
  await removeEdit(edit);
  return { id };
}
