import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toImprintError } from '../foundation/errors.ts';
import { bootVariableNames } from '../machine/boot-copy-problem.ts';

/** Where the kernel shows the firmware's variables. */
export const variablesDirectory = '/sys/firmware/efi/efivars';

/** The vendor of the variables that the UEFI specification defines (2.10, chapter 3.3). */
const globalVendor = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
/** Of this start and the next one alone: nothing to keep. */
const passingNames = /^(BootCurrent|BootNext)$/;

/**
 * The variables by which the firmware chooses what boots: `Boot0000` …, `BootOrder`, `Timeout`; each with four bytes of attributes before its
 * value. Undefined where the firmware has none that can be seen: BIOS, or efivarfs is not mounted. Errors: `io-failed`.
 *
 * @param passing also `BootCurrent` and `BootNext`
 */
export async function readBootVariables(
  directory = variablesDirectory,
  passing = false,
): Promise<Map<string, Buffer> | undefined> {
  const names = await readdir(directory).catch((): string[] => []);
  if (names.length === 0) return undefined;
  const found = new Map<string, Buffer>();
  for (const file of names.sort()) {
    const name = file.endsWith(`-${globalVendor}`) ? file.slice(0, -globalVendor.length - 1) : '';
    if (!bootVariableNames.test(name) && !(passing && passingNames.test(name))) continue;
    try {
      found.set(name, await readFile(join(directory, file)));
    } catch (thrown) {
      throw toImprintError(thrown);
    }
  }
  return found;
}

/**
 * Sets one of them, in a single write as efivarfs wants it. Only those that choose what boots: firmware has died of less known ones.
 * Errors: `io-failed`, `read-only`.
 */
export async function writeBootVariable(
  name: string,
  content: Uint8Array,
  directory = variablesDirectory,
): Promise<void> {
  if (!bootVariableNames.test(name) && name !== 'BootNext') throw new RangeError(`${name} is no boot variable`);
  try {
    await writeFile(join(directory, `${name}-${globalVendor}`), content);
  } catch (thrown) {
    throw toImprintError(thrown);
  }
}

/** Takes back what was chosen for the next start alone. Errors: `io-failed`. */
export async function forgetBootNext(directory = variablesDirectory): Promise<void> {
  await rm(join(directory, `BootNext-${globalVendor}`), { force: true }).catch((thrown) => {
    throw toImprintError(thrown);
  });
}
