import type { PlacedOrder } from '../contract/operations/installs.ts';
import { followTasks } from './follow-tasks.ts';
import { listNames } from './list-names.ts';
import type { Session } from './session.ts';

/** Says what was ordered, or with `wait` follows it until it has ended everywhere. Throws the first error that one ended with. */
export async function followOrders(
  session: Session,
  orders: readonly PlacedOrder[],
  { verb, wait }: { verb: 'update' | 'revert'; wait: boolean },
): Promise<void> {
  const names = orders.map(({ machine }) => machine);
  if (!wait) {
    const lines = orders.map(({ machine, image }) => `${machine} goes to ${image} as soon as its agent asks\n`);
    session.result({ orders }, () =>
      `${lines.join('')}Watch it: imprint watch ${names.join(' ')}`.trimEnd().concat('\n'),
    );
    return;
  }
  const client = await session.server();
  const tasks = orders.map(({ id, machine, image }) => ({ id, title: `${verb} ${machine} to ${image}` }));
  session.endsByInterrupt = true;
  const farewell = () => session.say('It goes on; watch it again: imprint watch');
  session.signal.addEventListener('abort', farewell, { once: true });
  const failures = await followTasks(client, tasks, session.progress(orders.length > 1));
  session.signal.removeEventListener('abort', farewell);
  const failed = orders.filter(({ id }) => failures.has(id)).map(({ machine }) => machine);
  const done = orders.filter(({ id }) => !failures.has(id));
  if (done.length > 0 || session.globals.json) {
    session.result({ orders, done: done.map(({ machine }) => machine), failed }, () => {
      const images = [...new Set(done.map(({ image }) => image))].join(', ');
      return `${listNames(done.map(({ machine }) => machine))} ${done.length === 1 ? 'runs' : 'run'} ${images}\n`;
    });
  }
  const [first] = failures.values();
  if (first) throw first;
}
