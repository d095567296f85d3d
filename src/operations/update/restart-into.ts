import { uptime } from 'node:os';
import type { RebootMethod } from '../../contract/update.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { TrialCount } from '../../machine/boot-pointer.ts';
import { bootPartitionPaths } from '../../machine/installed-layout.ts';
import { chooseRestart, type RestartChoice } from '../../planning/choose-restart.ts';
import { type BootPartition, bootMountPoint } from '../../system/boot-partition.ts';
import {
  loadKernel,
  restartFully,
  restartMeans,
  restartSoftly,
  startLoadedKernel,
  stopPatience,
} from '../../system/restart.ts';
import { openBoot, softWordsPath, type ThisMachine, trialSeconds, viewMachine } from './this-machine.ts';

/** What an update asks of a restart. */
export interface RestartWish {
  asked: RebootMethod;
  inPlace: boolean;
  reasons: readonly string[];
  /** Kernel of the new version. */
  kernelVersion: string;
  /** In place: its file, or its initial RAM disk, is another one than that which runs, also where the version is the same. */
  kernelFileChanged?: boolean;
}

/** `signal` is aborted when systemd has begun to stop what runs; `tell` hears where a quick way failed. */
export interface RestartHooks {
  signal: AbortSignal;
  tell(message: string): void;
}

/** How this machine restarts for an update, by what it has. */
export async function planRestart(
  { processes }: Pick<ThisMachine, 'processes'>,
  wish: RestartWish,
): Promise<RestartChoice> {
  const { kernel, ...means } = await restartMeans(processes);
  const { asked, inPlace, reasons, kernelVersion, kernelFileChanged = false } = wish;
  const sameKernel = kernel === kernelVersion && !kernelFileChanged;
  return chooseRestart({ ...means, asked, inPlace, reasons, sameKernel });
}

/** Restarts into `entry`, which the pointer has boot next. Where a quick way fails, in full, and says so. Comes back only where `signal` is aborted. */
export async function restartInto(
  machine: ThisMachine,
  entry: string,
  method: RestartChoice['method'],
  { signal, tell }: RestartHooks,
): Promise<void> {
  if (method === 'none') return;
  if (method !== 'full') {
    try {
      await restartQuickly(machine, entry, method, signal);
    } catch (thrown) {
      if (signal.aborted) return;
      const what = method === 'soft' ? 'The soft reboot' : 'kexec';
      tell(`${what} failed: ${toImprintError(thrown).message}. The machine restarts in full.`);
    }
  }
  if (!signal.aborted) await restartFully(machine.processes, machine.clock, signal);
}

/** Rejects where the machine does not go down; what was counted is taken back then. */
async function restartQuickly(
  machine: ThisMachine,
  id: string,
  method: 'kexec' | 'soft',
  signal: AbortSignal,
): Promise<void> {
  const { processes, clock } = machine;
  let next: NextBoot;
  {
    await using boot = await openBoot(machine);
    next = await nextBoot(machine, boot, id);
    if (method === 'kexec') await loadEntry(machine, boot, id, next.words);
    // As late as can be: only what is begun is counted.
    if (next.count !== undefined) await boot.writeTries(next.count.after);
  }
  try {
    if (method === 'kexec') await startLoadedKernel(processes);
    else await restartSoftly(processes, softRestart(next, trialSeconds(machine)));
    await clock.sleep(stopPatience, signal);
    throw new ImprintError('process-failed', {
      command: `systemctl ${method === 'kexec' ? 'kexec' : 'soft-reboot'}`,
      status: 'no end',
      stderr: 'the services did not stop in three minutes',
    });
  } catch (thrown) {
    if (!signal.aborted && next.count !== undefined) {
      await using boot = await openBoot(machine);
      await boot.writeTries(next.count.before);
    }
    throw thrown;
  }
}

/** What GRUB would say of a boot of an entry, and count. */
interface NextBoot {
  words: string[];
  /** Absent: this is no trial. */
  count?: { before: TrialCount; after: TrialCount };
}

/** GRUB is passed over, so a trial is counted here: should it hang, GRUB finds one try less. */
async function nextBoot(machine: ThisMachine, boot: BootPartition, id: string): Promise<NextBoot> {
  const { pointer, tries, layout } = await viewMachine(machine, boot);
  const kind = pointer.trial === id ? 'trial' : 'good';
  const where = [`imprint.slot=${id}`, `imprint.seq=${pointer.sequence}`, `imprint.kind=${kind}`];
  const words = [...where, `imprint.boot=${layout.boot}`];
  if (kind === 'good') return { words };
  const had = tries?.sequence === pointer.sequence ? Math.min(tries.left, pointer.tries) : pointer.tries;
  const left = Math.max(0, had - 1);
  const count = (each: number): TrialCount => ({ ...tries, sequence: pointer.sequence, left: each });
  return { words: [...words, `imprint.try=${left}`], count: { before: count(had), after: count(left) } };
}

async function loadEntry(machine: ThisMachine, boot: BootPartition, id: string, words: string[]): Promise<void> {
  const entry = (await boot.entries()).find((each) => each.id === id);
  if (entry === undefined) throw new RangeError(`there is no entry ${id}`);
  const at = (name: string) => `${bootMountPoint}/${bootPartitionPaths.slots}/${id}/${name}`;
  const initrds = ['initrd', 'addition.cpio'].filter((name) => entry.files[name] !== undefined).map(at);
  const commandLine = [...entry.kernelOptions, ...words].join(' ');
  await loadKernel(machine.processes, { vmlinuz: at('vmlinuz'), initrds, commandLine });
}

/** The kernel goes on, so what comes up must know since when it has been on trial. */
function softRestart({ words, count }: NextBoot, limit: number) {
  const more = [`imprint.limit=${limit}`, `imprint.up=${Math.floor(uptime())}`];
  return {
    words: { path: softWordsPath, text: `${[...words, ...more].join(' ')}\n` },
    ...(count === undefined ? {} : { trialSeconds: limit }),
  };
}
