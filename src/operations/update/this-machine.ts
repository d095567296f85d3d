import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StatedRule } from '../../contract/machine-rules.ts';
import type { Clock } from '../../foundation/clock.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { agentFiles } from '../../machine/agent-files.ts';
import { type AgentSettings, parseAgentSettings } from '../../machine/agent-settings.ts';
import type { BootEntry, BootPointer, TrialCount } from '../../machine/boot-pointer.ts';
import type { BootFailure } from '../../machine/boot-records.ts';
import { type MachineSystem, machineSystems } from '../../machine/boot-systems.ts';
import type { InstalledLayout } from '../../machine/installed-layout.ts';
import { type BootSituation, type BootWords, bootWords, situationOf } from '../../machine/trial.ts';
import type { UpdateNote } from '../../machine/update-note.ts';
import { ifThere } from '../../store/directory-files.ts';
import { BootPartition } from '../../system/boot-partition.ts';
import { findBootPartition } from '../../system/find-boot-partition.ts';
import type { Processes } from '../../system/run.ts';
import { bootReplicas } from './boot-replicas.ts';
import { readRules, withRules } from './machine-rules.ts';

/** The installed machine that this runs on. */
export interface ThisMachine {
  readonly processes: Processes;
  readonly clock: Clock;
  /** Root of the running system: `/`. */
  readonly root: string;
  readonly settings: AgentSettings;
  /** All rules in `settings.keep` and `settings.carry`, and who made them. */
  readonly rules?: readonly StatedRule[];
  /** What GRUB told of the boot that goes on; undefined where no entry of ours was booted. */
  readonly words: BootWords | undefined;
  /** The boot partition's device. */
  readonly bootDevice: string;
}

/** The words of what runs where those of the kernel are of something before: after a soft reboot, and an update in place. */
export const softWordsPath = '/run/imprint/boot-words';

/** What differs in tests. */
export interface MachinePlace {
  processes: Processes;
  clock: Clock;
  root?: string;
  /** Instead of that of the running kernel. */
  commandLine?: string;
  bootDevice?: string;
}

/**
 * This machine. Errors: `input-invalid` (settings), `machine-unmanaged` where GRUB did not start it from a boot menu of ours,
 * `boot-partition-missing`.
 */
export async function findThisMachine(place: MachinePlace): Promise<ThisMachine> {
  const { processes, clock, root = '/' } = place;
  const path = join(root, agentFiles.settings);
  const own = parseAgentSettings(await ifThere(readFile(path, 'utf8')), path);
  const rules = await readRules(root, own);
  const commandLine =
    place.commandLine ??
    (await ifThere(readFile(softWordsPath, 'utf8'))) ??
    (await ifThere(readFile('/proc/cmdline', 'utf8'))) ??
    '';
  const words = bootWords(commandLine);
  // Before anything is looked for, let alone mounted: a disk that is plugged in here may be another machine's.
  if (words === undefined) throw notOurs();
  const bootDevice = place.bootDevice ?? (await findBootPartition(processes, commandLine));
  return { processes, clock, root, settings: withRules(own, rules), rules, words, bootDevice };
}

/** All that its boot partition says, at one moment. */
export interface MachineView {
  layout: InstalledLayout;
  pointer: BootPointer;
  tries: TrialCount | undefined;
  entries: BootEntry[];
  /** Those that lie beside each other here, that which starts by itself first. */
  systems: MachineSystem[];
  /** The entry that runs; undefined for a hand-dropped image, or one that is gone. */
  running: BootEntry | undefined;
  situation: BootSituation;
  failure: BootFailure | undefined;
  note: UpdateNote | undefined;
}

/** Looks at an open boot partition. Errors: `machine-unmanaged` where it boots nothing, or this system was not booted by it. */
export async function viewMachine(machine: ThisMachine, boot: BootPartition): Promise<MachineView> {
  const pointer = await boot.pointer();
  if (pointer === undefined) {
    throw new ImprintError('machine-unmanaged', {
      problem: `the boot partition ${boot.device} has no pointer that is whole`,
    });
  }
  const { words } = machine;
  if (words === undefined) throw notOurs();
  const [layout, tries, entries, failure, note] = [
    await boot.layout(),
    await boot.tries(),
    await boot.entries(),
    await boot.failure(),
    await boot.updateNote(),
  ];
  const running = entries.find(({ id }) => id === words.entry);
  const systems = machineSystems(pointer, entries, await boot.systemRecords());
  const besides = systems.flatMap(({ standard, good }) => (standard ? [] : [good]));
  const situation = situationOf(pointer, tries, words, besides);
  return { layout, pointer, tries, entries, systems, running, situation, failure, note };
}

/** Opens the boot partition, looks, and closes it again. */
export async function lookAtMachine(machine: ThisMachine): Promise<MachineView> {
  await using boot = await openBoot(machine, { readOnly: true });
  return await viewMachine(machine, boot);
}

export function openBoot(
  { processes, clock, bootDevice }: ThisMachine,
  { readOnly = false }: { readOnly?: boolean } = {},
): Promise<BootPartition> {
  return BootPartition.open(processes, bootDevice, { readOnly, clock, replicas: bootReplicas({ processes, clock }) });
}

/** Seconds after which a trial ends by itself: later than the agent gives it up. */
export function trialSeconds({ settings }: ThisMachine): number {
  return Math.ceil(settings.health.timeout / 1000) + 120;
}

function notOurs(): ImprintError {
  return new ImprintError('machine-unmanaged', { problem: 'it was not started by a boot menu of Imprint' });
}
