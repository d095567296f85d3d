import { machineUpdate, updateCancel, updateOrder } from '../../contract/operations/updates.ts';
import type { UpdatePlan } from '../../contract/update.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { planMachineUpdate, updateMachine } from '../../operations/update/update-machine.ts';
import { scheduleCommand } from '../../system/schedule.ts';
import type { Invocation } from '../command.ts';
import { followOrders } from '../follow-orders.ts';
import { listNames } from '../list-names.ts';
import { parseInput } from '../parse-input.ts';
import { printFields } from '../print-table.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';
import { concludeUpdate, thisMachine, updateSurroundings } from '../this-machine.ts';
import { readUpdateOptions, readWhen } from '../update-options.ts';

/** `imprint update [MACHINE…]`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const range = invocation.argumentList(0).join(',');
  if (range !== '') return updateMachines(session, invocation, range);
  for (const option of ['cancel', 'wait', 'force']) {
    if (!invocation.flag(option)) continue;
    throw new ImprintError('usage', {
      problem: `--${option} is for machines of the server.`,
      hint: 'Name them: imprint update MACHINE',
    });
  }
  await updateHere(session, invocation);
}

async function updateHere(session: Session, invocation: Invocation): Promise<void> {
  const image = invocation.text('image');
  const when = readWhen(invocation.text('when'), session.clock.now());
  const options = readUpdateOptions(invocation);
  const machine = await thisMachine(session, 'Updating this machine');
  const request = {
    ...(await updateSurroundings(session)),
    ...parseInput(machineUpdate.input, {
      ...(image === undefined ? {} : { image }),
      options: when.kind === 'reboot' ? { ...options, reboot: 'none' } : options,
    }),
  };
  if (session.globals.dryRun) {
    const plan = await session.task('plan', (task) => planMachineUpdate(machine, request, task));
    session.result({ dryRun: true, plan }, () => planText(session, plan));
    return;
  }
  if (when.kind === 'at') {
    const words = process.argv.slice(2).filter((word, index, all) => word !== '--when' && all[index - 1] !== '--when');
    const args = [...words.filter((word) => !word.startsWith('--when=')), '--yes'];
    const unit = await scheduleCommand(machine.processes, when.time, args);
    const time = new Date(when.time).toISOString();
    session.result({ scheduled: time, unit }, () => `will be done at ${time} (systemctl list-timers; unit ${unit})\n`);
    return;
  }
  await concludeUpdate(session, await session.task('update', (task) => updateMachine(machine, request, task)));
}

async function updateMachines(session: Session, invocation: Invocation, machines: string): Promise<void> {
  const image = invocation.text('image');
  const force = invocation.flag('force');
  if (invocation.flag('cancel')) {
    const output = await callServer(session, updateCancel, { machines, ...(force ? { force } : {}) });
    const names = output.cancelled;
    session.result(output, () =>
      names.length === 0 ? 'there was no order to take back\n' : `took back the order of ${listNames(names)}\n`,
    );
    return;
  }
  const when = readWhen(invocation.text('when'), session.clock.now());
  const given = readUpdateOptions(invocation);
  const options = when.kind === 'reboot' ? { ...given, reboot: 'none' as const } : given;
  const input = parseInput(updateOrder.input, {
    machines,
    ...(image === undefined ? {} : { image }),
    ...(Object.keys(options).length > 0 ? { options } : {}),
    ...(when.kind === 'at' ? { notBefore: when.time } : {}),
  });
  if (session.globals.dryRun) {
    session.result(
      { dryRun: true, ...input },
      () => `would order an update of ${machines} to ${image ?? 'its image'}\n`,
    );
    return;
  }
  const { orders } = await callServer(session, updateOrder, input);
  await followOrders(session, orders, { verb: 'update', wait: invocation.flag('wait') });
}

const ways = {
  partition: 'fill the system partition',
  file: 'make an image file',
  'in-place': 'change the running root',
};

const ruleMakers = { image: 'the image', server: 'the server', machine: 'agent.yaml' };

function planText(session: Session, plan: UpdatePlan): string {
  const { files, fetch, packages = [], services = [], drift = [], rules = [], reboot, problems } = plan;
  const { paint } = session.stdout;
  return printFields(session.stdout, [
    ['from', plan.from?.reference ?? 'an unknown version'],
    ['to', `${paint('bold', plan.to.reference)}  ${paint('dim', plan.to.digest)}`],
    ['how', plan.way === 'partition' ? `${ways.partition} ${plan.slot}` : ways[plan.way]],
    ['fetches', fetch && `${formatBytes(fetch.bytes)} in ${fetch.requests} requests`],
    ['files', files && `${files.added} added, ${files.changed} changed, ${files.removed} removed`],
    ['packages', packages.map(({ name, from, to }) => `${name} ${from ?? '–'} → ${to ?? '–'}`).join('\n')],
    ['services', services.join(', ')],
    ['own', rules.map(({ kind, glob, from }) => `${kind} ${glob} (${ruleMakers[from]})`).join('\n')],
    ['drift', drift.map(({ path, change, action }) => `${path}: ${change}, ${action}`).join('\n')],
    ['restart', `${reboot.method}${reboot.reasons.length > 0 ? `: ${reboot.reasons.join('; ')}` : ''}`],
    ['problems', problems.map((problem) => paint('red', problem)).join('\n')],
  ]);
}
