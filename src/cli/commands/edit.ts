import { type EditListing, type EditOutput, editDiscard, editInputSchema } from '../../contract/operations/edits.ts';
import { displayPath, type RawPath } from '../../foundation/brand.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { editImage } from '../../operations/edit/edit-image.ts';
import { discardEdit, listEdits } from '../../operations/edit/manage-edits.ts';
import { showVersion } from '../../operations/list-versions.ts';
import type { Invocation } from '../command.ts';
import { editStage } from '../edit-stage.ts';
import { formatAgo } from '../format-time.ts';
import { formatCount, madeVersionFields } from '../made-version.ts';
import { parseInput } from '../parse-input.ts';
import { printFields, printTable } from '../print-table.ts';
import type { Session } from '../session.ts';

/** `imprint edit REF [-- COMMAND…]`, `imprint edit --list`, `--resume EDIT`, `--discard EDIT`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const discard = invocation.text('discard');
  if (invocation.flag('list')) return list(session);
  if (discard !== undefined) return throwAway(session, discard);
  const input = parseInput(editInputSchema, readInput(invocation));
  const context = await session.context();
  if (session.globals.dryRun) {
    const words = input.command.length === 0 ? 'open a shell' : `run ${input.command.join(' ')}`;
    if ('resume' in input) {
      session.result({ dryRun: true, ...input }, () => `would ${words} in the edit ${input.resume}\n`);
      return;
    }
    const { record } = await showVersion(context, { reference: input.reference });
    const size = formatBytes(record.stats.contentBytes);
    session.result(
      { dryRun: true, ...input, digest: record.digest },
      () => `would check out ${record.image}:${record.number} (${size}) and ${words} in it\n`,
    );
    return;
  }
  const output = await editImage(context, input, editStage(session));
  session.result(output, () => describeVersion(output, session));
}

/** What an edit or a build made, for people. */
export function describeVersion(output: EditOutput, session: Session): string {
  if (output.outcome === 'unchanged') return `Nothing differs from ${output.reference}: no version was made.\n`;
  const { stats } = output;
  const files = stats.files - output.unchangedFiles;
  const read = files === 1 ? '1 file' : `${formatCount(files)} files`;
  return printFields(session.stdout, [
    ...madeVersionFields(output, session),
    ['entries', `${formatCount(stats.entries)}; ${read} read, the rest unchanged`],
    ['added', `${formatBytes(stats.newBytes)} to the store`],
    ['scrubbed', output.scrubbed.map((path) => displayPath(path as RawPath)).join('\n')],
    ['warnings', output.warnings.slice(0, 20).join('\n')],
  ]);
}

function readInput(invocation: Invocation) {
  const name = invocation.text('name');
  const tag = invocation.text('tag');
  const message = invocation.text('message');
  const resume = invocation.text('resume');
  const reference = invocation.optionalArgument(0);
  const options = {
    keep: invocation.flag('keep'),
    ...(tag === undefined ? {} : { tag }),
    ...(message === undefined ? {} : { message }),
  };
  if (resume !== undefined) {
    // What stands behind -- is the command; there is no reference before it.
    const command = [...(reference === undefined ? [] : [reference]), ...invocation.argumentList(1)];
    if (name === undefined) return { resume, command, ...options };
    throw new ImprintError('usage', {
      problem: 'The image of an edit was settled when it began.',
      hint: 'Leave --name out.',
    });
  }
  if (reference === undefined) {
    throw new ImprintError('usage', {
      problem: 'imprint edit needs the image to edit.',
      hint: 'imprint edit IMAGE, or see what was cut short: imprint edit --list',
    });
  }
  return { reference, command: [...invocation.argumentList(1)], ...(name === undefined ? {} : { name }), ...options };
}

async function list(session: Session): Promise<void> {
  const output = await listEdits(await session.context());
  session.result(output, () => {
    if (output.edits.length === 0) return 'No edit goes on, and none was cut short.\n';
    return printTable(
      session.stdout,
      [
        { title: 'EDIT' },
        { title: 'OF' },
        { title: 'FOR' },
        { title: 'BEGUN' },
        { title: 'STATE' },
        { title: 'MESSAGE', shrink: true },
      ],
      output.edits.map((edit) => row(edit, session)),
    );
  });
}

function row({ id, base, image, begun, busy, message }: EditListing, session: Session): string[] {
  const { paint } = session.stdout;
  const state = busy ? paint('green', 'worked in') : paint('yellow', 'cut short');
  return [paint('bold', id), base, image, formatAgo(Date.parse(begun), session.clock.now()), state, message ?? ''];
}

async function throwAway(session: Session, id: string): Promise<void> {
  const input = parseInput(editDiscard.input, { id });
  const context = await session.context();
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...input }, () => `would throw the edit ${id} away\n`);
    return;
  }
  await session.confirm(`Throwing ${id} away`, `Throw the edit ${id} away, with all that was done in it?`);
  const output = await session.task(`discard ${id}`, () => discardEdit(context, input));
  session.result(output, () => `${id} is gone\n`);
}
