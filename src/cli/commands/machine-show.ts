import type { DiskFacts, InstallOptions, Machine, PartitionFacts } from '../../contract/machine.ts';
import { machineShow } from '../../contract/operations/machines.ts';
import { formatBytes } from '../../foundation/bytes.ts';
import { describePartition } from '../../machine/partition-kind.ts';
import type { Invocation } from '../command.ts';
import { formatAgo } from '../format-time.ts';
import { stateText } from '../machine-words.ts';
import { printFields } from '../print-table.ts';
import { callServer } from '../server-call.ts';
import type { Session } from '../session.ts';

/** `imprint machine show MACHINE`. */
export async function run(session: Session, invocation: Invocation): Promise<void> {
  const machine = await callServer(session, machineShow, { machine: invocation.argument(0) });
  session.result(machine, () => describe(machine, session));
}

function describe(machine: Machine, session: Session): string {
  const { facts, order, update, agent, installed, problem } = machine;
  const { paint } = session.stdout;
  const ago = (time: number | undefined) => (time === undefined ? undefined : formatAgo(time, session.clock.now()));
  const approved = machine.approved ? '' : paint('yellow', '  not approved: it has no name yet');
  const interfaces = facts?.interfaces.map((each) =>
    [each.name, each.mac, each.address, each.driver, each.carrier === false ? 'no link' : undefined]
      .filter(Boolean)
      .join('  '),
  );
  return printFields(session.stdout, [
    ['machine', `${paint('bold', machine.name)}${approved}`],
    ['state', stateText(session.stdout, machine.state)],
    ['problem', problem && `${paint('red', problem.message)}\n${paint('cyan', '→')} ${problem.hint}`],
    ['image', machine.image],
    ['ordered', order && `${order.image}, ${ago(order.placed)}`],
    ['ordered', update && `${update.kind} to ${update.image}, ${ago(update.placed)} (${update.phase})`],
    ['installed', installed && `${installed.image}, ${ago(installed.time)}  ${paint('dim', installed.digest)}`],
    ['slot', agent?.running && `${agent.running.slot}, entry ${agent.running.entry} (${agent.situation ?? 'unknown'})`],
    ['before', agent?.previous?.image],
    ['agent', agent && `version ${agent.program}, ${ago(agent.time)}`],
    ['address', machine.address],
    ['mac', machine.macs.join('\n')],
    ['options', optionsText(machine.options)],
    ['groups', machine.groups?.join(', ')],
    ['keeps', machine.rules?.keep?.join('\n')],
    ['object', machine.rules?.object && `kept at the ${machine.rules.object}, too`],
    ['carries', machine.rules?.carry?.join('\n')],
    ['seen', ago(machine.lastSeen) ?? 'never'],
    ['task', machine.task],
    ['hardware', facts && [facts.vendor, facts.product].filter(Boolean).join(' ')],
    ['serial', facts?.serial],
    ['uuid', facts?.uuid ?? machine.uuid],
    ['cpu', facts && `${facts.cpu}, ${facts.cores} ${facts.cores === 1 ? 'core' : 'cores'}, ${facts.architecture}`],
    ['memory', facts && formatBytes(facts.memory)],
    ['firmware', facts?.firmware.toUpperCase()],
    ['network', interfaces?.join('\n')],
    [
      'disks',
      facts?.disks.flatMap((disk) => [diskText(disk), ...(disk.partitions ?? []).map(partitionText)]).join('\n'),
    ],
  ]);
}

/** `  /dev/sda1  512 MiB  EFI system (vfat “EFI-BOOT”)`. */
function partitionText(partition: PartitionFacts): string {
  const used = partition.content?.used;
  const inUse = used === undefined ? '' : `, ${formatBytes(used)} in use`;
  return `  ${partition.path}  ${formatBytes(partition.size)}  ${describePartition(partition)}${inUse}`;
}

/** `/dev/sda  480 GB …`. */
function diskText(disk: DiskFacts): string {
  const marks = [disk.removable ? 'removable' : '', disk.readOnly ? 'read-only' : '', ...disk.inUse].filter(Boolean);
  const serial = disk.serial === undefined ? undefined : `serial=${disk.serial}`;
  const words = [disk.path, formatBytes(disk.size), disk.transport, disk.model, serial, disk.content].filter(Boolean);
  return `${words.join('  ')}${marks.length > 0 ? `  (${marks.join(', ')})` : ''}`;
}

function optionsText(options: InstallOptions): string {
  const words = [
    options.disk && `disk ${options.disk}`,
    options.layout && `layout ${options.layout === 'own' ? (options.own?.name ?? 'of its own') : options.layout}`,
    options.slots && `${options.slots} slots`,
    options.share && `share ${formatBytes(options.share)}`,
    options.home && `home ${options.home}`,
    options.fileSystem,
    options.swap ? `swap ${formatBytes(options.swap)}` : undefined,
    options.kernelOptions && `kernel options “${options.kernelOptions}”`,
    options.erase && `may erase ${options.erase.replaceAll(',', ', ')}`,
    options.bootCopy && 'no copy of what boots before',
    options.afterwards && `then ${options.afterwards}`,
  ];
  return words.filter(Boolean).join(', ');
}
