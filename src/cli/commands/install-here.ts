import type { LivePlan, LiveRequest, LiveStatus } from '../../contract/live-control.ts';
import type { InstallOptions } from '../../contract/machine.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { TaskEvent } from '../../foundation/task.ts';
import type { Invocation } from '../command.ts';
import { readInstallOptions, setOptions } from '../install-options.ts';
import { askLive, liveStatus } from '../live-here.ts';
import { lossLines, stepLines } from '../plan-lines.ts';
import type { Session } from '../session.ts';

/** `imprint install --live` in a live system: moves it onto a disk of this machine while it runs. */
export async function installHere(session: Session, invocation: Invocation, rate: number | null): Promise<void> {
  if (process.getuid?.() !== 0) throw new ImprintError('not-root', { action: 'Moving this system onto a disk' });
  const here: InstallOptions = setOptions({ ...readInstallOptions(invocation), rate });
  const wish = { options: here, ...nameOf(invocation) };
  const status = await liveStatus(session);
  const joined = session.globals.dryRun ? undefined : joining(status, here, invocation.flag('wait'));
  if (joined !== undefined) {
    session.say(joined.words);
    await watch(session, joined.request);
    return;
  }
  if (status.problem !== undefined) session.say(`The medium cannot be read now: ${status.problem}`);
  const plan = await planOf(session, { kind: 'plan', ...wish });
  if (session.globals.dryRun) {
    session.result({ dryRun: true, plan }, () => `${planText(plan)}${stepLines(plan.steps)}`);
    return;
  }
  if (!session.globals.yes) session.say(planText(plan).trimEnd());
  await session.confirm(`Moving this system onto ${plan.disk.path}`, `This erases ${plan.disk.path}. Go on?`);
  const { path, serial } = plan.disk;
  const disk = { path, ...(serial !== undefined && { serial }) };
  await watch(session, { kind: 'install', ...wish, disk });
}

/** Where a move is under way, or broke off and can only go on, that is what there is to see; undefined: another order counts, or is refused in words. */
function joining(
  { move, problem }: LiveStatus,
  { disk: rule }: InstallOptions,
  wait: boolean,
): { words: string; request: LiveRequest } | undefined {
  if (move === undefined) return undefined;
  // Somebody who names a disk means that one, and hears that it is another.
  const isMeant = rule === undefined || rule === move.disk;
  if (move.state === 'failed' && move.goesOn && isMeant && !wait)
    return { words: `The move onto ${move.disk} broke off. It goes on:`, request: { kind: 'go-on' } };
  if (!wait && (move.state !== 'running' || !isMeant)) return undefined;
  const away = problem === undefined ? '' : ` Now it waits: ${problem}`;
  return { words: `This system moves onto ${move.disk} already.${away}`, request: { kind: 'follow' } };
}

/** Shows a move, which goes on where this ends. */
async function watch(session: Session, request: LiveRequest): Promise<void> {
  session.endsByInterrupt = true;
  const farewell = () => session.say('The move goes on; watch it again: imprint install --live --wait');
  session.signal.addEventListener('abort', farewell, { once: true });
  await follow(session, request);
  session.signal.removeEventListener('abort', farewell);
}

function nameOf(invocation: Invocation): { name?: string } {
  const name = invocation.text('name');
  return name === undefined ? {} : { name };
}

async function planOf(session: Session, request: LiveRequest): Promise<LivePlan> {
  for await (const reply of askLive(session, request)) if (reply.kind === 'plan') return reply.plan;
  throw new ImprintError('internal', { problem: 'what serves this system said nothing' });
}

/** Shows a move until it is done. Rejects with how it failed. */
async function follow(session: Session, request: LiveRequest): Promise<void> {
  const progress = session.progress();
  for await (const reply of askLive(session, request)) {
    if (reply.kind === 'event') progress.show(reply.event as TaskEvent);
    if (reply.kind !== 'done') continue;
    session.result({ installed: true }, () => 'This system lies on its disk now, and starts from there.\n');
    return;
  }
  // Whoever serves the root does not end before the machine does.
  throw new ImprintError('internal', { problem: 'what serves this system said nothing more' });
}

/** What would be done, and lost. */
function planText({ name, image, disk, others, lost }: LivePlan): string {
  const disks = [disk, ...others].map(
    ({ path, size, content, serial }) =>
      `  ${path}  ${formatBytes(size)}${serial === undefined ? '' : `, serial ${serial}`} (${content})\n`,
  );
  return [
    `This system (${image}) moves as ${name} onto, and erases:\n`,
    ...disks,
    ...(lost.length === 0 ? [] : ['It would be lost:\n', lossLines(lost)]),
  ].join('');
}
