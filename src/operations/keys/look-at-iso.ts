import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyIso } from '../../contract/operations/keys.ts';
import { type IsoNames, type ReadAt, readIsoNames } from '../../image/iso9660.ts';
import { isSignedUnder, shimAuthorities } from '../../machine/secure-boot.ts';
import { unknownIso } from '../../netboot/iso-families.ts';
import type { IsoFamily } from '../../netboot/iso-family.ts';
import { familyDirectories, firmwareOf, firstThere, matchIso } from '../../netboot/iso-match.ts';
import type { Processes } from '../../system/run.ts';

/** No kernel and no EFI program is longer. */
const longestKernel = 256 << 20;

/** What an ISO is, and where it starts. */
export type IsoLook = Pick<KeyIso, 'family' | 'familyName' | 'volume' | 'firmware' | 'secureBoot' | 'refusal'> & {
  firmware: ('bios' | 'uefi')[];
};

/**
 * Looks into an ISO, wherever it lies. `authorities` are those whose signatures the key's shim lets through. Throws a `FormatError` for what is none.
 */
export function lookAtIso(read: ReadAt, authorities: readonly string[]): IsoLook {
  const names = readIsoNames(read, familyDirectories());
  const family = matchIso(names.paths);
  const firmware = family === undefined ? [] : firmwareOf(family);
  const refusal = family === undefined ? unknownIso : firmware.length < 2 ? family.refusal : undefined;
  const secureBoot = family && startsSecurely(read, names, family, authorities);
  return {
    ...(family && { family: family.id, familyName: family.name }),
    ...(names.volume !== '' && { volume: names.volume }),
    firmware,
    ...(secureBoot !== undefined && { secureBoot }),
    ...(refusal !== undefined && { refusal }),
  };
}

/** Undefined where nobody can say before it is started: it brings a menu of its own, or starts on no UEFI. */
function startsSecurely(
  read: ReadAt,
  names: IsoNames,
  { entries }: IsoFamily,
  authorities: readonly string[],
): boolean | undefined {
  const entry = entries.find(({ firmware }) => firmware !== 'bios');
  if (entry === undefined || entry.kind === 'config') return undefined;
  const path = firstThere(names.paths, entry.kind === 'linux' ? entry.kernels : [entry.path]);
  const place = path === undefined ? undefined : names.place(path);
  if (place === undefined || place.length > longestKernel) return undefined;
  return isSignedUnder(read(place.position, place.length), authorities);
}

/** Whose signatures the shim of a key lets through; none where its menu itself does not start under Secure Boot. */
export async function authoritiesOfKey(processes: Processes, key: string, signal: AbortSignal): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'imprint-key-'));
  try {
    const copy = join(directory, 'shim.efi');
    // The FAT file system of a key begins with its third MiB.
    const args = ['-n', '-o', '-i', `${key}@@2M`, '::/EFI/BOOT/BOOTX64.EFI', copy];
    await processes.run('mcopy', args, { timeout: 60_000, signal, accept: [0, 1] });
    return shimAuthorities(await readFile(copy).catch(() => Buffer.alloc(0)));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
