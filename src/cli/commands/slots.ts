import type { z } from 'zod';
import type { machineSlots } from '../../contract/operations/updates.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { showSlots } from '../../operations/update/show-slots.ts';
import type { Invocation } from '../command.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';
import { thisMachine } from '../this-machine.ts';

type Output = z.output<typeof machineSlots.output>;

const situations: Readonly<Record<string, string>> = {
  trial: 'The version that runs is on trial.',
  pending: 'The next restart boots a version on trial.',
  'fell-back': 'A version on trial was given up.',
  reverting: 'This machine is on its way back.',
  dropped: 'The image file that was dropped on the host partition runs on trial.',
  beside: 'Another system than the one that starts by itself runs.',
  stray: 'What runs was chosen in the boot menu; imprint commit keeps it.',
};

/** `imprint slots`. */
export async function run(session: Session, _invocation: Invocation): Promise<void> {
  const output = await showSlots(await thisMachine(session, 'Looking at the slots'));
  session.result(output, () => describe(session, output));
}

function describe(session: Session, output: Output): string {
  const { paint } = session.stdout;
  const { slots, empty, situation, failure, left, unmerged, room, boots = [] } = output;
  const several = new Set(slots.map(({ system }) => system)).size > 1;
  const table = printTable(
    session.stdout,
    [
      { title: 'SLOT' },
      ...(several ? [{ title: 'SYSTEM' }] : []),
      { title: 'VERSION' },
      { title: 'IS' },
      { title: 'KERNEL' },
      { title: 'ENTRY' },
    ],
    [
      ...slots.map(({ slot, system = '', reference, roles, kernel, entry }) => [
        paint('bold', slot),
        ...(several ? [system] : []),
        reference,
        roles.map((role) => (role === 'trial' ? `trial, ${left ?? 0} tries left` : role)).join(', '),
        kernel,
        paint('dim', entry),
      ]),
      ...empty.map((slot) => [slot, ...(several ? [''] : []), paint('dim', 'empty'), '', '', '']),
    ],
  );
  const said = situations[situation] === undefined ? '' : `\n${situations[situation]}\n`;
  const why = failure === undefined ? '' : `\n${paint('yellow', `${failure.entry} was given up`)}: ${failure.reason}\n`;
  const short =
    room === undefined || room.free >= room.wanted
      ? ''
      : `\n${paint('yellow', `/hostpart has only ${formatBytes(room.free)} left`)}, and should have ${formatBytes(room.wanted)}: the image files on it share blocks, and the root that runs gets errors where it is full. Remove something; before that, the agent removes the version to go back to.\n`;
  const other = boots.map((problem) => `\n${paint('yellow', problem)}\n`).join('');
  return table + said + why + short + other + describeUnmerged(unmerged);
}

function describeUnmerged(unmerged: readonly string[]): string {
  if (unmerged.length === 0) return '';
  const list = unmerged.map((path) => `  ${path}\n`).join('');
  return `\nThe version has these otherwise than this machine. Take from each what you want, then remove it:\n${list}`;
}
