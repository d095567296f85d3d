import type { z } from 'zod';
import type { InstallOptions } from '../contract/machine.ts';
import type { installOptionChangesSchema } from '../contract/operations/machines.ts';
import { parseBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Invocation } from './command.ts';

export type InstallOptionChanges = z.input<typeof installOptionChangesSchema>;

/** Changes to install options from `--disk --fs --swap --kernel-options --afterwards`; an empty value takes one away. */
export function readInstallOptions(invocation: Invocation): InstallOptionChanges {
  const disk = invocation.text('disk');
  const fileSystem = invocation.text('fs');
  const swap = invocation.text('swap');
  const kernelOptions = invocation.text('kernelOptions');
  const afterwards = invocation.text('afterwards');
  return {
    ...(disk === undefined ? {} : { disk: disk || null }),
    ...(fileSystem === undefined ? {} : { fileSystem: oneOf('--fs', fileSystem, ['ext4', 'xfs', 'btrfs'] as const) }),
    ...(swap === undefined ? {} : { swap: swap === '' ? null : readSize('--swap', swap) }),
    ...(kernelOptions === undefined ? {} : { kernelOptions: kernelOptions || null }),
    ...(afterwards === undefined
      ? {}
      : { afterwards: oneOf('--afterwards', afterwards, ['reboot', 'poweroff', 'wait'] as const) }),
  };
}

/** The same for a machine that is new, where there is nothing to take away. */
export function readNewInstallOptions(invocation: Invocation): InstallOptions {
  const changes = Object.entries(readInstallOptions(invocation)).filter(([, value]) => value !== null);
  return Object.fromEntries(changes) as InstallOptions;
}

function oneOf<Value extends string>(field: string, text: string, values: readonly Value[]): Value | null {
  if (text === '') return null;
  const found = values.find((value) => value === text);
  if (found) return found;
  const problem = `“${text}” is not one of ${values.join(', ')}`;
  throw new ImprintError('input-invalid', { field, problem });
}

function readSize(field: string, text: string): number {
  const bytes = parseBytes(text);
  if (bytes !== undefined) return bytes;
  throw new ImprintError('input-invalid', { field, problem: `“${text}” is not a size; write 4G or 512M` });
}
