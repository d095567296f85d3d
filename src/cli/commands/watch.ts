import { type Machine, machineSchema } from '../../contract/machine.ts';
import { machineList } from '../../contract/operations/machines.ts';
import { taskShow } from '../../contract/operations/tasks.ts';
import type { TaskSummary } from '../../contract/task-event.ts';
import { toImprintError } from '../../foundation/errors.ts';
import type { Invocation } from '../command.ts';
import { followTasks, readTaskEvent } from '../follow-tasks.ts';
import type { ServerClient } from '../server-client.ts';
import type { Session } from '../session.ts';
import { wholeTaskId } from './tasks.ts';

/** `imprint watch [MACHINE… | TASK]`: until Ctrl-C, or until the task that was named has ended. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const client = await session.server();
  session.endsByInterrupt = true;
  const names = invocation.argumentList(0);
  const task = names.length === 1 ? await findTask(client, await wholeTaskId(session, names[0] ?? '')) : undefined;
  if (task !== undefined) {
    const progress = session.globals.json ? jsonStream(session) : session.progress(false);
    const failures = await followTasks(client, [{ id: task.id, title: task.title }], progress);
    const [error] = failures.values();
    if (error) throw error;
    return;
  }
  const chosen = names.length === 0 ? undefined : await machinesOf(client, names.join(','));
  await watchAll(session, client, chosen);
}

/** The task of this id, where it looks like one; a machine's name is none. */
async function findTask(client: ServerClient, id: string): Promise<TaskSummary | undefined> {
  if (!/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(id)) return undefined;
  return (await client.call(taskShow, { task: id })).task;
}

async function machinesOf(client: ServerClient, range: string): Promise<Set<string>> {
  return new Set((await client.call(machineList, { machines: range })).machines.map(({ name }) => name));
}

/** Everything that goes on, or what concerns the chosen machines. */
async function watchAll(
  session: Session,
  client: ServerClient,
  chosen: ReadonlySet<string> | undefined,
): Promise<void> {
  const tasks = new Map<string, TaskSummary | undefined>();
  const states = new Map<string, string>();
  const progress = session.globals.json ? jsonStream(session) : session.progress(true);
  let seq = 0;
  const remark = (kind: 'log' | 'warning', message: string) => {
    if (session.globals.json) return;
    seq += 1;
    progress.show({ taskId: 'watch', seq, time: session.clock.now(), path: ['watch'], kind, message });
  };
  const { machines } = await client.call(machineList, {});
  for (const machine of machines) {
    states.set(machine.name, machine.state);
    if (chosen === undefined || chosen.has(machine.name)) remark('log', machineLine(machine));
  }
  if (machines.length === 0) remark('log', 'no machine yet; boot one from the network');
  const lost = (problem: string) =>
    remark('warning', problem === '' ? 'connected again' : `lost the connection to ${problem}; trying again`);
  for await (const { event, data } of client.events('/api/v1/events', lost)) {
    if (event === 'machine') {
      const parsed = machineSchema.safeParse(readJson(data));
      if (!parsed.success || (chosen !== undefined && !chosen.has(parsed.data.name))) continue;
      if (session.globals.json) session.stdout.write(`${JSON.stringify({ machine: parsed.data })}\n`);
      if (states.get(parsed.data.name) !== parsed.data.state) remark('log', machineLine(parsed.data));
      states.set(parsed.data.name, parsed.data.state);
      continue;
    }
    const told = event === 'task' ? readTaskEvent(data) : undefined;
    if (told === undefined) continue;
    if (!tasks.has(told.taskId)) tasks.set(told.taskId, await describeTask(client, told.taskId));
    const task = tasks.get(told.taskId);
    if (chosen !== undefined && !chosen.has(task?.machine ?? '')) continue;
    progress.show({ ...told, path: [task?.title ?? told.path[0] ?? '', ...told.path.slice(1)] });
  }
}

async function describeTask(client: ServerClient, id: string): Promise<TaskSummary | undefined> {
  try {
    return (await client.call(taskShow, { task: id, after: Number.MAX_SAFE_INTEGER })).task;
  } catch (thrown) {
    if (toImprintError(thrown).code === 'task-not-found') return undefined;
    throw thrown;
  }
}

function machineLine(machine: Machine): string {
  const image = machine.order?.image ?? machine.update?.image ?? machine.installed?.image ?? machine.image;
  const problem = machine.problem ? `: ${machine.problem.message}` : '';
  return `${machine.name} is ${machine.state}${image === undefined ? '' : ` (${image})`}${problem}`;
}

/** `watch` is a stream: its events are its result, and go to stdout. */
function jsonStream(session: Session) {
  return {
    show: (event: unknown) => session.stdout.write(`${JSON.stringify(event)}\n`),
    close: () => {},
  };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
