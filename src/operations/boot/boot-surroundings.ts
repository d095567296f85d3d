import { hostname } from 'node:os';
import { basename } from 'node:path';
import type { BootCopy } from '../../contract/boot-copy.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { BootDisk } from '../../system/boot-disk.ts';
import { readBootVariables, variablesDirectory } from '../../system/boot-variables.ts';
import { readMachineNames } from '../../system/machine-names.ts';
import type { Processes } from '../../system/run.ts';
import type { DiskNames } from './find-boot-disk.ts';
import type { ScanSurroundings } from './scan-boot.ts';

/** What the commands of `imprint boot` work with. */
export interface BootContext {
  processes: Processes;
  clock: Clock;
  /** Where the firmware's variables show. Default: the kernel's own place. */
  variables?: string;
  /** Where the boot partition is mounted meanwhile. Default: Imprint's own place. */
  mountAt?: string;
}

/** What there is to know of a disk beside its bytes: of an image file, only its name. */
export async function surroundingsOf(
  context: BootContext,
  disk: BootDisk,
  facts: DiskNames,
  signal: AbortSignal,
): Promise<ScanSurroundings & { machine: BootCopy['machine'] }> {
  const { processes, clock } = context;
  const now = clock.now();
  // A directory that was named is meant, whatever the disk is.
  if (!disk.isDevice && context.variables === undefined) {
    return { processes, signal, now, facts, machine: { name: basename(disk.path) } };
  }
  const names = await readMachineNames();
  const variables = await readBootVariables(context.variables ?? variablesDirectory);
  const machine: BootCopy['machine'] = { name: hostname(), ...names };
  return { processes, signal, now, facts, machine, variables };
}
