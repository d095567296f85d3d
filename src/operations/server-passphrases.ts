import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SealedSecret } from '../contract/imager-protocol.ts';
import { toImprintError } from '../foundation/errors.ts';
import { sealSecret } from '../image/sealed-secret.ts';
import { ifThere } from '../store/directory-files.ts';
import { syncDirectory } from '../store/durable.ts';
import type { DataPaths } from './data-paths.ts';

/** Keeps the passphrase of an ordered install until it is done; undefined: that of an order before is forgotten. Errors: `io-failed`, `disk-full`. */
export async function keepPassphrase(paths: DataPaths, machine: string, passphrase: string | undefined): Promise<void> {
  if (passphrase === undefined) return forgetPassphrase(paths, machine);
  try {
    await mkdir(paths.passphrases, { recursive: true, mode: 0o700 });
    const path = fileOf(paths, machine);
    {
      await using handle = await open(`${path}.new`, 'w', 0o600);
      await handle.writeFile(passphrase);
      await handle.sync();
    }
    await rename(`${path}.new`, path);
    await syncDirectory(paths.passphrases);
  } catch (thrown) {
    throw toImprintError(thrown);
  }
}

/** The passphrase for the boot of the imager that gave this key; undefined where there is none, or the key is none. */
export async function sealedPassphrase(
  paths: DataPaths,
  machine: string,
  key: string | undefined,
): Promise<SealedSecret | undefined> {
  const secret = await ifThere(readFile(fileOf(paths, machine)));
  if (secret === undefined || key === undefined) return undefined;
  try {
    return sealSecret(secret, key);
  } catch {
    return undefined;
  }
}

export async function forgetPassphrase(paths: DataPaths, machine: string): Promise<void> {
  await rm(fileOf(paths, machine), { force: true });
}

function fileOf({ passphrases }: DataPaths, machine: string): string {
  return join(passphrases, machine.toLowerCase());
}
