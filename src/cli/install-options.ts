import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { z } from 'zod';
import { homePlaceSchema, type InstallOptions, shareSizeSchema, slotCountSchema } from '../contract/machine.ts';
import type { installOptionChangesSchema } from '../contract/operations/machines.ts';
import { parseBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { parseLayout } from '../machine/layout-file.ts';
import { readEraseKinds } from '../machine/layout-terms.ts';
import { builtInLayouts } from '../planning/built-in-layouts.ts';
import type { Invocation } from './command.ts';

export type InstallOptionChanges = z.input<typeof installOptionChangesSchema>;

/** Changes to install options from `--disk --layout --slots --share --home --fs --swap --kernel-options --erase --boot-copy --afterwards`; an empty value takes one away. */
export function readInstallOptions(invocation: Invocation): InstallOptionChanges {
  const disk = invocation.text('disk');
  const layout = invocation.text('layout');
  const slots = invocation.text('slots');
  const share = invocation.text('share');
  const home = invocation.text('home');
  const fileSystem = invocation.text('fs');
  const swap = invocation.text('swap');
  const kernelOptions = invocation.text('kernelOptions');
  const erase = invocation.text('erase');
  const bootCopy = invocation.text('bootCopy');
  const afterwards = invocation.text('afterwards');
  return {
    ...(disk === undefined ? {} : { disk: disk || null }),
    ...(layout === undefined ? {} : readLayout(layout)),
    ...(slots === undefined ? {} : { slots: slots === '' ? null : readCount('--slots', slots) }),
    ...(share === undefined ? {} : { share: share === '' ? null : readShare(share) }),
    ...(home === undefined ? {} : { home: home === '' ? null : readHome(home) }),
    ...(fileSystem === undefined ? {} : { fileSystem: oneOf('--fs', fileSystem, ['ext4', 'xfs', 'btrfs'] as const) }),
    ...(swap === undefined ? {} : { swap: swap === '' ? null : readSize('--swap', swap) }),
    ...(kernelOptions === undefined ? {} : { kernelOptions: kernelOptions || null }),
    ...(erase === undefined ? {} : { erase: erase === '' ? null : readKinds(erase) }),
    ...(bootCopy === undefined ? {} : { bootCopy: oneOf('--boot-copy', bootCopy, ['none'] as const) }),
    ...(afterwards === undefined
      ? {}
      : { afterwards: oneOf('--afterwards', afterwards, ['reboot', 'poweroff', 'wait'] as const) }),
  };
}

/** The same for a machine that is new, where there is nothing to take away. */
export function readNewInstallOptions(invocation: Invocation): InstallOptions {
  return setOptions(readInstallOptions(invocation));
}

/** What changes set; what they take away is left out. */
export function setOptions(changes: InstallOptionChanges): InstallOptions {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== null)) as InstallOptions;
}

/** One of ours by its name, or a file, which is looked through here and now. Errors: `input-invalid`, `layout-invalid`. */
function readLayout(name: string): Pick<InstallOptionChanges, 'layout' | 'own'> {
  const builtIn = builtInLayouts.find((each) => each === name);
  if (builtIn !== undefined || name === '') return { layout: builtIn ?? null, own: null };
  let text: string;
  try {
    text = readFileSync(name, 'utf8');
  } catch {
    const problem = `“${name}” is not one of ${builtInLayouts.join(', ')}, and there is no such file`;
    throw new ImprintError('input-invalid', { field: '--layout', problem });
  }
  parseLayout(text, name);
  return { layout: 'own', own: { name: basename(name), text } };
}

function oneOf<Value extends string>(field: string, text: string, values: readonly Value[]): Value | null {
  if (text === '') return null;
  const found = values.find((value) => value === text);
  if (found) return found;
  const problem = `“${text}” is not one of ${values.join(', ')}`;
  throw new ImprintError('input-invalid', { field, problem });
}

function readCount(field: string, text: string): number {
  const count = Number(text);
  if (slotCountSchema.safeParse(count).success) return count;
  throw new ImprintError('input-invalid', { field, problem: `“${text}” is not a number from 2 to 8` });
}

function readShare(text: string): number {
  const bytes = readSize('--share', text);
  if (shareSizeSchema.safeParse(bytes).success) return bytes;
  throw new ImprintError('input-invalid', { field: '--share', problem: `“${text}” is less than 64M` });
}

function readHome(text: string): string {
  if (homePlaceSchema.safeParse(text).success) return text;
  const problem = `“${text}” is not local, share or SERVER:/path`;
  throw new ImprintError('input-invalid', { field: '--home', problem });
}

function readKinds(text: string): string {
  try {
    return readEraseKinds(text);
  } catch (error) {
    const problem = `“${text}” ${(error as Error).message}`;
    throw new ImprintError('input-invalid', { field: '--erase', problem });
  }
}

function readSize(field: string, text: string): number {
  const bytes = parseBytes(text);
  if (bytes !== undefined) return bytes;
  throw new ImprintError('input-invalid', { field, problem: `“${text}” is not a size; write 4G or 512M` });
}
