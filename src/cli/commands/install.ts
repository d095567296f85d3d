import { readFileSync } from 'node:fs';
import {
  installCancel,
  installOrder,
  installPlan,
  type PlacedOrder,
  type PlannedInstall,
} from '../../contract/operations/installs.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { parseLayout } from '../../machine/layout-file.ts';
import { renderLayout } from '../../machine/layout-yaml.ts';
import { isExtended } from '../../machine/partition-kind.ts';
import type { Invocation } from '../command.ts';
import { followTasks } from '../follow-tasks.ts';
import { type InstallOptionChanges, readInstallOptions, setOptions } from '../install-options.ts';
import { listNames } from '../list-names.ts';
import { parseInput } from '../parse-input.ts';
import { lossLines, stepLines } from '../plan-lines.ts';
import { printTable } from '../print-table.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import { readRate } from '../update-options.ts';

/** `imprint install MACHINE… [--image REF] [--wait]`: shows what would be erased, asks, orders, and follows. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const range = invocation.argumentList(0).join(',');
  if (range === '') return installThisOne(session, invocation);
  if (invocation.flag('cancel')) return cancel(session, range, invocation.flag('force'));
  const image = invocation.text('image');
  const isLive = invocation.flag('live');
  // Of this order, not of the machine.
  const options = { ...readInstallOptions(invocation), live: isLive ? true : null, rate: rateOf(invocation, isLive) };
  const input = parseInput(installOrder.input, {
    machines: range,
    ...(image === undefined ? {} : { image }),
    ...(Object.keys(options).length > 0 ? { options } : {}),
    ...readPassphrase(invocation.text('passphraseFile')),
  });
  const { plans } = await callServer(session, installPlan, {
    machines: range,
    ...(image === undefined ? {} : { image }),
    // A machine's own options may say it otherwise.
    ...{ ...planOptions(options), live: isLive },
  });
  for (const { machine, refused } of plans) {
    if (refused?.code === 'machine-not-approved') throw new ImprintError(refused.code, { machine });
  }
  if (session.globals.dryRun) {
    session.result({ dryRun: true, plans }, () => planText(session, plans));
    return;
  }
  const names = listNames(plans.map(({ machine }) => machine));
  if (!session.globals.yes) session.say(planText(session, plans).trimEnd());
  await session.confirm(`Installing ${names}`, `This erases the disk of ${names}. Go on?`);
  const { orders } = await callServer(session, installOrder, input);
  if (!invocation.flag('wait')) {
    session.result({ orders }, () => orderedText(orders));
    return;
  }
  await wait(session, orders);
}

/** Bytes per second; null: as fast as it goes. Errors: `input-invalid`. */
function rateOf(invocation: Invocation, isLive: boolean): number | null {
  const text = invocation.text('rate');
  if (text === undefined) return null;
  if (!isLive) throw new ImprintError('input-invalid', { field: '--rate', problem: 'it is for --live' });
  return readRate(text);
}

/** No machine is named: only a live system can mean itself. */
async function installThisOne(session: Session, invocation: Invocation): Promise<void> {
  if (!invocation.flag('live') || invocation.flag('cancel')) {
    const hint = 'imprint install MACHINE…; in a live system: imprint install --live';
    throw new ImprintError('usage', { problem: 'imprint install needs a MACHINE.', hint });
  }
  const { installHere } = await import('./install-here.ts');
  return installHere(session, invocation, rateOf(invocation, true));
}

/** The first line of a file: what somebody will type at the machine's console. Errors: `input-invalid`. */
function readPassphrase(path: string | undefined): { passphrase?: string } {
  if (path === undefined) return {};
  try {
    return { passphrase: readFileSync(path, 'utf8').split(/\r?\n/, 1)[0] ?? '' };
  } catch {
    const problem = `${path} cannot be read`;
    throw new ImprintError('input-invalid', { field: '--passphrase-file', problem });
  }
}

/** The options that change the plan of a disk; what takes an option away leaves the default. */
function planOptions(changes: InstallOptionChanges) {
  const { own, kernelOptions: _kernelOptions, afterwards: _afterwards, rate: _rate, ...disk } = setOptions(changes);
  if (own === undefined) return disk;
  // Without its remarks it is short enough for an address.
  return { ...disk, ownName: own.name, ownText: renderLayout(parseLayout(own.text, own.name)) };
}

async function cancel(session: Session, machines: string, force: boolean): Promise<void> {
  if (session.globals.dryRun) {
    session.result({ dryRun: true, machines }, () => `would take back the orders of ${machines}\n`);
    return;
  }
  const output = await callServer(session, installCancel, { machines, ...(force ? { force } : {}) });
  session.result(output, () =>
    output.cancelled.length === 0
      ? 'there was no order to take back\n'
      : `took back the order of ${listNames(output.cancelled)}\n`,
  );
}

/** What would be done to each machine: one line each, and in a dry run every step. */
function planText(session: Session, plans: readonly PlannedInstall[]): string {
  const table = printTable(
    session.globals.dryRun ? session.stdout : session.stderr,
    [{ title: 'MACHINE' }, { title: 'GETS' }, { title: 'ERASES', shrink: true }, { title: 'HAS NOW' }],
    plans.map((plan) => [plan.machine, plan.image, erasedText(plan), plan.installed ?? 'not ours']),
  );
  const refusals = plans.flatMap(({ machine, refused }) =>
    refused ? [`${machine} would refuse: ${refused.message}\n       → ${refused.hint}\n`] : [],
  );
  const steps = session.globals.dryRun ? plans.map(stepsText) : [];
  return [table, ...plans.map(lossText), ...steps, ...refusals].filter((part) => part !== '').join('\n');
}

/** What would be gone, where that is more than what we put there ourselves. */
function lossText({ machine, lost = [] }: PlannedInstall): string {
  return lost.length === 0 ? '' : `${machine} would lose:\n${lossLines(lost)}`;
}

function erasedText({ disk, others = [], refused, lost = [] }: PlannedInstall): string {
  if (refused) return 'nothing: refused';
  if (!disk) return 'its only disk (never seen yet)';
  const texts = [disk, ...others].map((each) => {
    const whole = `${each.path}, ${formatBytes(each.size)} (${each.content})`;
    const stays = each.partitions?.some((one) => !isExtended(one) && !lost.some(({ path }) => path === one.path));
    return stays ? `parts of ${whole}` : whole;
  });
  return texts.join('; ');
}

function stepsText({ machine, steps }: PlannedInstall): string {
  return steps.length === 0 ? '' : `${machine}\n${stepLines(steps)}`;
}

function orderedText(orders: readonly PlacedOrder[]): string {
  const lines = orders.map(({ machine, image }) => `${machine} gets ${image} at its next netboot\n`);
  const names = orders.map(({ machine }) => machine).join(' ');
  return `${lines.join('')}Watch it: imprint watch ${names.length > 40 ? '' : names}`.trimEnd().concat('\n');
}

async function wait(session: Session, orders: readonly PlacedOrder[]): Promise<void> {
  const client = await session.server();
  const tasks = orders.map(({ id, machine, image }) => ({ id, title: `install ${image} on ${machine}` }));
  session.endsByInterrupt = true;
  const farewell = () => session.say('The installs go on; watch them again: imprint watch');
  session.signal.addEventListener('abort', farewell, { once: true });
  const failures = await followTasks(client, tasks, session.progress(orders.length > 1));
  session.signal.removeEventListener('abort', farewell);
  const failed = orders.filter(({ id }) => failures.has(id)).map(({ machine }) => machine);
  const installed = orders.filter(({ id }) => !failures.has(id)).map(({ machine }) => machine);
  if (installed.length > 0 || session.globals.json) {
    session.result(
      { orders, installed, failed },
      () => `${listNames(installed)} ${installed.length === 1 ? 'is' : 'are'} installed\n`,
    );
  }
  const [first] = failures.values();
  if (first) throw first;
}
