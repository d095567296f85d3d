import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootPointer } from '../../src/machine/boot-pointer.ts';
import type { BootFailure } from '../../src/machine/boot-records.ts';
import { runAlone } from './run-alone.ts';

/** What is done with an installed machine's disk while nothing runs on it. */
export type OffStep =
  /** Mounts the root that GRUB would boot, and does what the agent would do first; until `shutDown`, which the end does, too. */
  | { readonly act: 'boot' }
  | { readonly act: 'shutDown' }
  /** `imprint update`, up to the pointer; `version`: a tag of `web` in the store. */
  | { readonly act: 'update'; readonly version: string; readonly inPlace?: boolean; readonly tries?: number }
  /** `imprint commit --force`. */
  | { readonly act: 'commit' }
  | { readonly act: 'revert' }
  /** Runs `script` by `sh -ec`; `$ROOT` is the root of what was booted, `$HOST` the host partition in it. */
  | { readonly act: 'shell'; readonly script: string };

/** What a machine's boot partition says. */
export interface OffLook {
  readonly pointer: BootPointer | undefined;
  readonly failure: BootFailure | undefined;
  /** Entry → the version that it boots: `web:2`. */
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * Takes the steps with the raw disk of a machine that is off, by the product's own code and on this computer: an update takes seconds, and minutes in a
 * machine under software emulation. `data`: directory of the data of `imprint`. Returns what the boot partition says afterwards.
 */
export async function whileOff(disk: string, data: string, steps: readonly OffStep[]): Promise<OffLook> {
  const work = await mkdtemp(join(tmpdir(), 'imprint-off-'));
  const worker = join(import.meta.dirname, 'machine-off-worker.ts');
  try {
    const words = [disk, join(work, 'machine'), join(data, 'store'), JSON.stringify(steps)];
    const stdout = await runAlone(worker, words, 600_000);
    return JSON.parse(stdout) as OffLook;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
