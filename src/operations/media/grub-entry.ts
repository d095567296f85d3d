import { type FrugalPlace, withLiveMenu } from '../../machine/live-menu.ts';
import { findGrubConfig } from '../../system/foreign-grub.ts';
import { checkGrubScript } from '../../system/grub-script.ts';
import type { Processes } from '../../system/run.ts';
import { type CustomMenu, readCustomMenu, writeCustomMenu } from './custom-menu.ts';

/** The machine that this runs on; `root` is another than `/` in tests. */
interface OwnMachine {
  processes: Processes;
  root: string;
}

type Place = Pick<FrugalPlace, 'uuid' | 'directory' | 'image'>;

/**
 * Gives the GRUB of this machine an entry for a live system, in the file that its `grub.cfg` reads for such things. Returns that file; nothing where there is no such GRUB, as on machines that
 * Imprint installed. Errors: `io-failed`, `disk-full`, `internal`.
 */
export async function addGrubEntry({ processes, root }: OwnMachine, place: Place): Promise<string | undefined> {
  const found = await findCustom(root);
  if (found === undefined) return undefined;
  const changed = withLiveMenu(found.text, place);
  await checkGrubScript(processes, changed);
  await writeCustomMenu(found.directory, changed);
  return found.path;
}

/** Takes the entry away, if it is one for this place. Returns the file that had it. Errors: as above. */
export async function removeGrubEntry(
  { root }: OwnMachine,
  { uuid, directory }: Omit<Place, 'image'>,
): Promise<string | undefined> {
  const found = await findCustom(root);
  if (found === undefined) return undefined;
  const without = withLiveMenu(found.text, undefined);
  const entry = found.text.replace(without, '');
  if (without === found.text || !entry.includes(uuid) || !entry.includes(`${directory}/`)) return undefined;
  await writeCustomMenu(found.directory, without);
  return found.path;
}

async function findCustom(root: string): Promise<(CustomMenu & { directory: string }) | undefined> {
  const { directory, config } = (await findGrubConfig(root)) ?? {};
  if (directory === undefined || !config?.includes('custom.cfg')) return undefined;
  return { directory, ...(await readCustomMenu(directory)) };
}
