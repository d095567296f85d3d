import { machineList } from '../../contract/operations/machines.ts';
import { serverStatus } from '../../contract/operations/server.ts';
import { taskList } from '../../contract/operations/tasks.ts';
import type { Invocation } from '../command.ts';
import { formatAgo } from '../format-time.ts';
import { liveFields } from '../live-fields.ts';
import { liveStatus } from '../live-here.ts';
import { printFields } from '../print-table.ts';
import type { Session } from '../session.ts';
import { machineTable } from './machines.ts';
import { taskTable } from './tasks.ts';

const machineLimit = 30;

/** `imprint status`: of the server, or where none answers and this system is a live one, of that. */
export async function run(session: Session, _invocation: Invocation): Promise<void> {
  try {
    await showServer(session);
  } catch (error) {
    session.signal.throwIfAborted();
    const live = await liveStatus(session).catch(() => undefined);
    if (live === undefined) throw error;
    session.result({ live }, () => printFields(session.stdout, liveFields(live)));
  }
}

async function showServer(session: Session): Promise<void> {
  const client = await session.server();
  const [server, { machines }, { tasks }] = await Promise.all([
    client.call(serverStatus, {}),
    client.call(machineList, {}),
    client.call(taskList, { state: 'running' }),
  ]);
  session.result({ server, machines, tasks }, () => {
    const { paint } = session.stdout;
    const { netboot } = server;
    const counts = Object.entries(server.machines).filter(([, count]) => count > 0);
    const fields = printFields(session.stdout, [
      [
        'server',
        `${server.url}  ${paint('dim', `version ${server.version}, started ${formatAgo(server.started, session.clock.now())}`)}`,
      ],
      ['data', server.data],
      [
        'store',
        server.storeProblem === undefined ? server.store : `${server.store}  ${paint('red', server.storeProblem)}`,
      ],
      ['key', server.key],
      [
        'netboot',
        netboot === undefined
          ? paint('dim', 'off')
          : `${netboot.mode === 'proxy' ? 'proxy DHCP' : 'DHCP'} on ${netboot.interface}, ${paint(netboot.state === 'running' ? 'green' : 'red', netboot.state)}`,
      ],
      ['', netboot?.problem && paint('red', netboot.problem)],
      [
        '',
        netboot && !netboot.imager ? paint('yellow', 'the imager is not built yet: imprint media netboot') : undefined,
      ],
      ['machines', counts.map(([state, count]) => `${count} ${state}`).join(', ') || 'none'],
    ]);
    const shown = machines.slice(0, machineLimit);
    const more =
      machines.length > shown.length ? `… and ${machines.length - shown.length} more: imprint machines\n` : '';
    const table = machines.length > 0 ? `\n${machineTable(session, shown)}${more}` : '';
    return `${fields}${table}${tasks.length > 0 ? `\n${taskTable(session, tasks)}` : ''}`;
  });
}
