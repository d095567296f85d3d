import { readFile } from 'node:fs/promises';
import type { Task } from '../../foundation/task.ts';
import { imagerEntry, isImagerEntry } from '../../machine/imager-entry.ts';
import type { Step } from '../../planning/step.ts';
import { BootPartition } from '../../system/boot-partition.ts';
import type { LiveHost } from './live-host.ts';

/** The boot partition of a machine that moves, and the entry of its system there. */
export interface LiveBoot {
  device: string;
  good: string;
}

/** Whether the boot partition is whole: only an earlier start, with the source at hand, can make it. */
export async function hasBoot({ processes, clock }: LiveHost, steps: readonly Step[]): Promise<boolean> {
  const device = steps.find((step) => step.kind === 'move-live')?.boot;
  if (device === undefined) return false;
  try {
    await using boot = await BootPartition.open(processes, device, { readOnly: true, clock });
    return (await boot.pointer()) !== undefined;
  } catch {
    return false;
  }
}

/** Until the root is a partition, only the imager can put it together. */
export async function bootImager(host: LiveHost, { device, good }: LiveBoot, task: Task): Promise<void> {
  const { processes, clock } = host;
  {
    await using boot = await BootPartition.open(processes, device, { readOnly: true, clock });
    if (isImagerEntry((await boot.pointer())?.good ?? '')) return;
  }
  const imager = await host.imager(task);
  if (imager === undefined) {
    task.warn('The imager is not at hand: until the move is done, the machine starts from where it was started now.');
    return;
  }
  const { server, words, files } = imager;
  const commandLine = await readFile('/proc/cmdline', 'utf8').catch(() => '');
  const start = { ...(server && { server }), ...(words && { words }), record: files.record, commandLine };
  const entry = imagerEntry(start, new Date(clock.now()).toISOString());
  await using boot = await BootPartition.open(processes, device, { clock });
  const added = await boot.addEntry(entry, { vmlinuz: files.vmlinuz, initrd: files.initrd });
  await boot.writePointer({ good: added.id, previous: good, tries: 0 });
  task.log('A restart goes on from here.');
}

/** All is on the disk: from now on its own kernel starts it. */
export async function bootSystem({ processes, clock }: LiveHost, { device, good }: LiveBoot): Promise<void> {
  await using boot = await BootPartition.open(processes, device, { clock });
  const imagers = (await boot.entries()).map(({ id }) => id).filter(isImagerEntry);
  // Into both records: each may be the one that counts.
  if (imagers.length > 0) for (const _ of [1, 2]) await boot.writePointer({ good, tries: 0 });
  for (const id of imagers) await boot.removeEntry(id);
}

/** The agent found no boot of ours, and now there is one that it stands for. */
export async function tellAgent(host: LiveHost, { device, good }: LiveBoot): Promise<void> {
  const { processes, clock } = host;
  const boot = await BootPartition.open(processes, device, { readOnly: true, clock });
  const { sequence } = (await boot.pointer()) ?? { sequence: 0 };
  const { boot: uuid } = await boot.layout();
  await boot[Symbol.asyncDispose]();
  await host.tellBootWords(`imprint.slot=${good} imprint.seq=${sequence} imprint.boot=${uuid}\n`);
  await host.inSystem('systemctl', ['daemon-reload']);
  await host.inSystem('systemctl', ['restart', '--no-block', 'imprint-agent.service']);
}
