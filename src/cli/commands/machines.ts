import type { Machine } from '../../contract/machine.ts';
import { machineList } from '../../contract/operations/machines.ts';
import type { Invocation } from '../command.ts';
import { formatAgo } from '../format-time.ts';
import { imageText, stateText } from '../machine-words.ts';
import { printTable } from '../print-table.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint machines [MACHINE…]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const range = invocation.argumentList(0).join(',');
  const output = await callServer(session, machineList, range === '' ? {} : { machines: range });
  session.result(output, () => machineTable(session, output.machines));
}

/** Machines as a table, and below it what is wrong with any of them. */
export function machineTable(session: Session, machines: readonly Machine[]): string {
  if (machines.length === 0)
    return 'There is no machine yet. Boot one from the network, or: imprint machine add NAME\n';
  const { paint } = session.stdout;
  const none = paint('dim', '–');
  const table = printTable(
    session.stdout,
    [
      { title: 'MACHINE' },
      { title: 'STATE' },
      { title: 'IMAGE', shrink: true },
      { title: 'ADDRESS' },
      { title: 'MAC' },
      { title: 'SEEN' },
    ],
    machines.map((machine) => [
      machine.approved ? paint('bold', machine.name) : machine.name,
      stateText(session.stdout, machine.state),
      imageText(session.stdout, machine),
      machine.address ?? machine.facts?.interfaces.find((each) => each.address !== undefined)?.address ?? none,
      machine.macs.length > 1 ? `${machine.macs[0]} +${machine.macs.length - 1}` : (machine.macs[0] ?? none),
      machine.lastSeen === undefined ? paint('dim', 'never') : formatAgo(machine.lastSeen, session.clock.now()),
    ]),
  );
  const problems = machines.flatMap((machine) => (machine.problem ? [[machine.name, machine.problem] as const] : []));
  const told = problems.map(([name, problem]) => {
    const hint = problem.hint === '' ? '' : `  ${paint('cyan', '→')} ${problem.hint}\n`;
    return `\n${paint('red', '✗')} ${paint('bold', name)}: ${problem.message}\n${hint}`;
  });
  return table + told.join('');
}
