import type { RebootMethod } from '../../contract/update.ts';
import { bootPartitionPaths } from '../../machine/installed-layout.ts';
import { chooseRestart, type RestartChoice } from '../../planning/choose-restart.ts';
import { bootMountPoint } from '../../system/boot-partition.ts';
import { loadKernel, restartFully, restartMeans, restartSoftly, startLoadedKernel } from '../../system/restart.ts';
import { openBoot, softWordsPath, type ThisMachine, viewMachine } from './this-machine.ts';

/** What an update asks of a restart. */
export interface RestartWish {
  asked: RebootMethod;
  inPlace: boolean;
  reasons: readonly string[];
  /** Kernel of the new version. */
  kernelVersion: string;
}

/** How this machine restarts for an update, by what it has. */
export async function planRestart({ processes }: ThisMachine, wish: RestartWish): Promise<RestartChoice> {
  const { hasKexec, lockedDown, systemd, kernel } = await restartMeans(processes);
  const { asked, inPlace, reasons, kernelVersion } = wish;
  const sameKernel = kernel === kernelVersion;
  return chooseRestart({ asked, inPlace, reasons, sameKernel, hasKexec, lockedDown, systemd });
}

/**
 * Restarts into `entry`, which the pointer has boot next. Where a quick way fails, in full. Comes back only where `signal` is aborted, which
 * it is when systemd has begun to stop what runs.
 */
export async function restartInto(
  machine: ThisMachine,
  entry: string,
  method: RestartChoice['method'],
  signal: AbortSignal,
): Promise<void> {
  const { processes, clock } = machine;
  if (method === 'none') return;
  try {
    if (method === 'kexec') {
      await loadEntry(machine, entry);
      await startLoadedKernel(processes);
      await clock.sleep(stopPatience, signal);
    } else if (method === 'soft') {
      await restartSoftly(processes, { path: softWordsPath, text: await wordsFor(machine, entry) });
      await clock.sleep(stopPatience, signal);
    }
  } catch {
    // In full it works always.
  }
  if (!signal.aborted) await restartFully(processes, clock, signal);
}

const stopPatience = 180_000;

/** Loads an entry's kernel. A trial is counted here, since GRUB is passed over: should it hang, GRUB finds one try less. */
async function loadEntry(machine: ThisMachine, id: string): Promise<void> {
  await using boot = await openBoot(machine);
  const { entries } = await viewMachine(machine, boot);
  const entry = entries.find((each) => each.id === id);
  if (entry === undefined) throw new RangeError(`there is no entry ${id}`);
  const words = await countBoot(machine, boot, id);
  const at = (name: string) => `${bootMountPoint}/${bootPartitionPaths.slots}/${id}/${name}`;
  const initrds = ['initrd', 'addition.cpio'].filter((name) => entry.files[name] !== undefined).map(at);
  const commandLine = [...entry.kernelOptions, ...words].join(' ');
  await loadKernel(machine.processes, { vmlinuz: at('vmlinuz'), initrds, commandLine });
}

async function wordsFor(machine: ThisMachine, id: string): Promise<string> {
  await using boot = await openBoot(machine);
  return (await countBoot(machine, boot, id)).join(' ');
}

/** What GRUB would write and say of a boot of this entry. */
async function countBoot(
  machine: ThisMachine,
  boot: Awaited<ReturnType<typeof openBoot>>,
  id: string,
): Promise<string[]> {
  const { pointer, tries, layout } = await viewMachine(machine, boot);
  const kind = pointer.trial === id ? 'trial' : 'good';
  const where = [`imprint.slot=${id}`, `imprint.seq=${pointer.sequence}`, `imprint.kind=${kind}`];
  const words = [...where, `imprint.boot=${layout.boot}`];
  if (kind === 'good') return words;
  const before = tries?.sequence === pointer.sequence ? tries.left : pointer.tries;
  const left = Math.max(0, Math.min(before, pointer.tries) - 1);
  await boot.writeTries({ ...tries, sequence: pointer.sequence, left });
  return [...words, `imprint.try=${left}`];
}
