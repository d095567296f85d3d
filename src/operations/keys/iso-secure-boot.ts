import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSignedUnder, shimAuthorities } from '../../machine/secure-boot.ts';
import type { IsoFamily } from '../../netboot/iso-family.ts';
import { firstThere } from '../../netboot/iso-match.ts';
import { extractFromIso } from '../../system/iso-file.ts';
import type { Processes } from '../../system/run.ts';

/** Whose signatures the shim of a key lets through; none where its menu itself does not start under Secure Boot. */
export async function authoritiesOfKey(processes: Processes, key: string, signal: AbortSignal): Promise<string[]> {
  return inTemporary(async (directory) => {
    const copy = join(directory, 'shim.efi');
    // The FAT file system of a key is its second MiB and what follows.
    const args = ['-n', '-o', '-i', `${key}@@2M`, '::/EFI/BOOT/BOOTX64.EFI', copy];
    await processes.run('mcopy', args, { timeout: 60_000, signal, accept: [0, 1] });
    return shimAuthorities(await readFile(copy).catch(() => Buffer.alloc(0)));
  });
}

/**
 * Whether what starts first of an ISO is signed by one of them. Undefined where nobody can say before it is started: it brings a menu of its own, or starts on no UEFI.
 */
export async function startsSecurely(
  processes: Processes,
  iso: { path: string; paths: ReadonlySet<string>; family: IsoFamily },
  authorities: readonly string[],
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const entry = iso.family.entries.find(({ firmware }) => firmware !== 'bios');
  if (entry === undefined || entry.kind === 'config') return undefined;
  const kernel = firstThere(iso.paths, entry.kind === 'linux' ? entry.kernels : [entry.path]);
  if (kernel === undefined) return undefined;
  return inTemporary(async (directory) => {
    const copy = join(directory, 'kernel');
    await extractFromIso(processes, iso.path, kernel, copy, signal);
    return isSignedUnder(await readFile(copy), authorities);
  });
}

async function inTemporary<Result>(work: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-key-'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
