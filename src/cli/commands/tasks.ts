import { taskList, taskShow } from '../../contract/operations/tasks.ts';
import type { TaskSummary } from '../../contract/task-event.ts';
import type { TaskEvent } from '../../foundation/task.ts';
import type { Invocation } from '../command.ts';
import { formatAgo, formatSpan } from '../format-time.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import { ProgressLines } from '../progress-lines.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import type { Style } from '../terminal.ts';

const stateStyles: Record<TaskSummary['state'], Style> = {
  waiting: 'yellow',
  running: 'cyan',
  finished: 'green',
  failed: 'red',
};

/** `imprint tasks [TASK] [--machine NAME] [--running] [--limit COUNT]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const id = invocation.optionalArgument(0);
  if (id !== undefined) return showTask(session, id);
  const machine = invocation.text('machine');
  const input = parseInput(taskList.input, {
    ...(machine === undefined ? {} : { machine }),
    ...(invocation.flag('running') ? { state: 'running' as const } : {}),
    limit: invocation.text('limit') ?? 20,
  });
  const output = await callServer(session, taskList, input);
  session.result(output, () => (output.tasks.length === 0 ? 'There is no task.\n' : taskTable(session, output.tasks)));
}

async function showTask(session: Session, id: string): Promise<void> {
  const output = await callServer(session, taskShow, { task: await wholeTaskId(session, id) });
  session.result(output, () => {
    const said: string[] = [];
    const terminal = { ...session.stdout, write: (line: string) => void said.push(line) };
    const lines = new ProgressLines(terminal, { clock: session.clock, quiet: false, errors: true });
    const { title } = output.task;
    for (const event of output.events) lines.show({ ...(event as TaskEvent), path: [title, ...event.path.slice(1)] });
    return `${taskTable(session, [output.task])}\n${said.join('')}`;
  });
}

/** A task's whole id from its beginning, as `imprint tasks` shows it; what names no task, or several, stays as it is. */
export async function wholeTaskId(session: Session, text: string): Promise<string> {
  if (text.length >= 36 || !/^[0-9a-f][0-9a-f-]{3,}$/.test(text)) return text;
  const { tasks } = await callServer(session, taskList, { limit: 1000 });
  const found = tasks.filter(({ id }) => id.startsWith(text));
  return found.length === 1 && found[0] ? found[0].id : text;
}

/** Tasks as a table. */
export function taskTable(session: Session, tasks: readonly TaskSummary[]): string {
  const { paint } = session.stdout;
  return printTable(
    session.stdout,
    [
      { title: 'TASK' },
      { title: 'WHAT' },
      { title: 'STATE' },
      { title: 'STARTED' },
      { title: 'TOOK', align: 'right' },
      { title: 'SAYS', shrink: true },
    ],
    tasks.map((task) => {
      const { last } = task;
      const percent = last?.total && last.done !== undefined ? ` ${Math.floor((last.done / last.total) * 100)} %` : '';
      const says =
        task.state === 'running' && last ? `${last.path.slice(1).join(' / ')}${percent}` : (last?.error?.message ?? '');
      return [
        task.id.slice(0, 8),
        task.title,
        paint(stateStyles[task.state], task.state),
        formatAgo(task.started, session.clock.now()),
        task.state === 'waiting' ? '' : formatSpan((task.ended ?? session.clock.now()) - task.started),
        says,
      ];
    }),
  );
}
