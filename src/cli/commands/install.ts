import type { Machine } from '../../contract/machine.ts';
import { installCancel, installOrder, type PlacedOrder } from '../../contract/operations/installs.ts';
import { machineList } from '../../contract/operations/machines.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Invocation } from '../command.ts';
import { followTasks } from '../follow-tasks.ts';
import { type InstallOptionChanges, readInstallOptions } from '../install-options.ts';
import { listNames } from '../list-names.ts';
import { parseInput } from '../parse-input.ts';
import { printTable } from '../print-table.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint install MACHINE… [--image REF] [--wait]`: shows what would be erased, asks, orders, and follows. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const range = invocation.argumentList(0).join(',');
  if (invocation.flag('cancel')) return cancel(session, range, invocation.flag('force'));
  const image = invocation.text('image');
  const options = readInstallOptions(invocation);
  const input = parseInput(installOrder.input, {
    machines: range,
    ...(image === undefined ? {} : { image }),
    ...(Object.keys(options).length > 0 ? { options } : {}),
  });
  const { machines } = await callServer(session, machineList, { machines: range });
  const plan = machines.map((machine) => planOf(machine, image, options));
  if (session.globals.dryRun) {
    session.result({ dryRun: true, orders: plan }, () => planTable(session, plan));
    return;
  }
  const names = listNames(machines.map(({ name }) => name));
  if (!session.globals.yes) session.say(planTable(session, plan).trimEnd());
  await session.confirm(`Installing ${names}`, `This erases the disk of ${names}. Go on?`);
  const { orders } = await callServer(session, installOrder, input);
  if (!invocation.flag('wait')) {
    session.result({ orders }, () => orderedText(orders));
    return;
  }
  await wait(session, orders);
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

interface PlannedInstall {
  machine: string;
  image: string;
  /** The rule, or the disk itself where the machine was seen and has only one. */
  disk: string;
  has: string;
  when: string;
}

function planOf(machine: Machine, image: string | undefined, changes: InstallOptionChanges): PlannedInstall {
  if (!machine.approved) throw new ImprintError('machine-not-approved', { machine: machine.name });
  const wanted = image ?? machine.image;
  if (wanted === undefined) {
    throw new ImprintError('input-invalid', {
      field: '--image',
      problem: `${machine.name} has no image set; say which one to install`,
    });
  }
  const rule = changes.disk === undefined ? machine.options.disk : (changes.disk ?? undefined);
  const disks = machine.facts?.disks.filter((disk) => !disk.readOnly && !disk.removable) ?? [];
  const only = disks.length === 1 && disks[0] ? `${disks[0].path} (${disks[0].content})` : 'the only one';
  return {
    machine: machine.name,
    image: wanted,
    disk: rule ?? only,
    has: machine.installed?.image ?? 'not ours',
    when: 'next netboot',
  };
}

function planTable(session: Session, plan: readonly PlannedInstall[]): string {
  return printTable(
    session.globals.dryRun ? session.stdout : session.stderr,
    [
      { title: 'MACHINE' },
      { title: 'GETS' },
      { title: 'ON DISK', shrink: true },
      { title: 'HAS NOW' },
      { title: 'WHEN' },
    ],
    plan.map((each) => [each.machine, each.image, each.disk, each.has, each.when]),
  );
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
