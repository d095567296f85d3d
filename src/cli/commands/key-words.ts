import { formatBytes, parseBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { describeDisk } from '../../machine/disk-rule.ts';
import type { Context } from '../../operations/context.ts';
import { findTargetDisk } from '../../operations/media/medium-target.ts';
import type { Session } from '../session.ts';

/** Bytes of an option that says a size; undefined where it was not given. Errors: `usage`. */
export function sizeOption(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseBytes(text);
  if (bytes === undefined)
    throw new ImprintError('usage', { problem: `“${text}” is no size.`, hint: 'Write 4G or 8000M.' });
  return bytes;
}

/** Asks before a disk is taken; a file needs no yes, nor does a dry run. Errors: `device-refused`, `confirmation-needed`, `declined`. */
export async function confirmDisk(session: Session, context: Context, target: string): Promise<void> {
  const disk = await findTargetDisk(context, target);
  if (disk === undefined) return;
  session.say(`${describeDisk(disk)}\nEverything on it will be lost.`);
  if (session.globals.dryRun) return;
  await session.confirm(`Writing over ${target}`, `Write over ${target} (${formatBytes(disk.size)})?`);
}

/** `2.3 GiB free`, and what could be had. */
export function freeWords(free: number, unused = 0): string {
  const more = unused < 2 ** 20 ? '' : `; imprint key grow would add ${formatBytes(unused)}`;
  return `${formatBytes(free)} free${more}`;
}
