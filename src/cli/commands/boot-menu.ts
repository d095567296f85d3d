import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import { bootMenu } from '../../contract/operations/boot.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { type PreparedMenu, prepareMenu } from '../../operations/boot/make-menu.ts';
import { systemProcesses } from '../../system/run.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';

/** `imprint boot menu [--default ENTRY] [--timeout SECONDS] [--password-file FILE]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const [disk, entry, timeout] = [invocation.text('disk'), invocation.text('default'), invocation.text('timeout')];
  const [on, undo] = [invocation.text('on'), invocation.text('undo')];
  const locked = invocation.list('lock');
  const password = await passwordOf(invocation);
  const input = parseInput(bootMenu.input, {
    ...(disk === undefined ? {} : { disk }),
    ...(on === undefined ? {} : { on }),
    ...(undo === undefined ? {} : { undo }),
    ...(entry === undefined ? {} : { default: entry }),
    ...(timeout === undefined ? {} : { timeout: Number(timeout) }),
    ...(password === undefined ? {} : { password }),
    ...(locked.length === 0 ? {} : { locked }),
  });
  const context = { processes: systemProcesses, clock: session.clock };
  const prepared = await session.task('look for systems', (task) => prepareMenu(context, input, task));
  const { output } = prepared;
  if (session.globals.dryRun) {
    session.result({ dryRun: true, ...output }, () => `${describe(session, output)}\nwould write:\n${prepared.text}`);
    return;
  }
  if (prepared.changesBoot) {
    if (!session.globals.yes) session.say(describe(session, output).trimEnd());
    await session.confirm('Writing boot code', 'Have the disk start this menu?');
  }
  const written = await session.task('write the boot menu', (task) => prepared.write(task));
  const kept = written.undo === undefined ? '' : `what was there before is in ${written.undo}\n`;
  session.result(written, () => `${describe(session, written)}\nthe menu is on ${written.device}\n${kept}`);
}

function describe(
  session: Session,
  { systems, closed, default: entry, timeout, password, steps = [], left = [] }: PreparedMenu['output'],
): string {
  const { paint } = session.stdout;
  const none = paint('dim', 'no');
  const table = printTable(
    session.stdout,
    [
      { title: 'ENTRY' },
      { title: 'SYSTEM', shrink: true },
      { title: 'ON' },
      { title: 'BIOS STARTS' },
      { title: 'UEFI STARTS' },
    ],
    systems.map(({ id, title, disk, partition, bios, uefi }) => [
      paint('bold', id),
      ...[title, `${disk}, partition ${partition}`, bios ?? none, uefi ?? none],
    ]),
  );
  const remarks = systems.flatMap(({ id, remarks: each }) => each.map((words) => `${id}: ${words}`));
  const waits = timeout === undefined ? '' : timeout < 0 ? '; it waits for a key' : `; it waits ${timeout} s`;
  const summary = `by itself starts: ${entry}${waits}${password ? '; changes need the password' : ''}`;
  const head = systems.length === 0 ? 'No other system was found.\n' : table;
  const said = [...remarks, ...closed, ...left].map((words) => paint('yellow', words));
  const plan = steps.map((step, index) => `  ${index + 1}. ${step}`);
  return [head.trimEnd(), ...said, ...plan, summary].map((line) => `${line}\n`).join('');
}

/** Of one line; never on the command line, where everybody sees it. */
async function passwordOf(invocation: Invocation): Promise<string | undefined> {
  // Commander: true unless --no-password was given.
  if (!invocation.flag('password')) return '';
  const file = invocation.text('passwordFile');
  if (file === undefined) return undefined;
  const content = await (file === '-' ? readAll(process.stdin) : readFile(file, 'utf8')).catch((thrown: unknown) => {
    throw toImprintError(thrown);
  });
  const [line = ''] = content.split(/\r?\n/);
  if (line === '') {
    throw new ImprintError('input-invalid', { field: '--password-file', problem: 'its first line is empty' });
  }
  return line;
}
