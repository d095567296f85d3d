import { type PrepareOutput, prepareOperation } from '../../contract/operations/prepare.ts';
import { prepareGolden, waitAtDoor } from '../../operations/prepare-golden.ts';
import type { Invocation } from '../command.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import type { Session } from '../session.ts';

const ownRecord = '/etc/imprint/golden.json';

/** `imprint prepare`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const address = invocation.text('address');
  const number = (name: string) => {
    const text = invocation.text(name);
    return text === undefined ? {} : { [name]: Number(text) };
  };
  const { dryRun } = session.globals;
  const input = parseInput(prepareOperation.input, {
    // Commander turns --no-door and --no-record into trues that become false.
    door: invocation.flag('door') && !dryRun,
    ...number('port'),
    ...number('minutes'),
    ...(address === undefined ? {} : { address }),
    ...(invocation.flag('record') && !dryRun ? { record: ownRecord } : {}),
  });
  const context = await session.context();
  await session.task('prepare', async (task) => {
    await using prepared = await prepareGolden(context, input, task);
    session.result(prepared.output, () => describe(prepared.output, session));
    if (prepared.door !== undefined) await waitAtDoor(prepared.door, input, task);
  });
  if (input.door) session.say('The capture is done, and the door is closed.');
}

function describe(output: PrepareOutput, session: Session): string {
  const { stdout } = session;
  const table = printTable(
    stdout,
    [{ title: 'FILE SYSTEM' }, { title: 'TYPE' }, { title: 'CAPTURED FROM', shrink: true }],
    [
      ...output.consistency.map(({ mountPoint, type, consistency, reason }) => [
        mountPoint,
        type,
        reason === undefined ? consistency.replace('-', ' ') : stdout.paint('yellow', `live: ${reason}`),
      ]),
      ...output.leftOut.map(({ mountPoint, type, reason }) => [
        mountPoint,
        type,
        stdout.paint('dim', `left out: ${reason}`),
      ]),
    ],
  );
  const lines = [table];
  for (const problem of output.problems) lines.push(stdout.paint('yellow', `It cannot be captured yet: ${problem}.`));
  if (output.scripts.length > 0) lines.push(`Scripts: ${output.scripts.join(', ')}`);
  if (output.record !== undefined) lines.push(`Recorded in ${output.record}.`);
  if (output.door !== undefined) {
    const time = new Date(output.door.until).toLocaleTimeString('en-GB');
    lines.push(`Type this where the image shall be, before ${time}; it works once:`, '', `  ${output.door.command}`);
  }
  return `${lines.join('\n')}\n`;
}
