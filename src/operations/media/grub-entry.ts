import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type FrugalPlace, withLiveMenu } from '../../machine/live-menu.ts';
import { writeFilesDurably } from '../../store/durable.ts';
import { checkGrubScript } from '../../system/grub-script.ts';
import type { Processes } from '../../system/run.ts';

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
  await writeFilesDurably([{ path: found.custom, content: changed }], found.directory);
  return found.custom;
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
  if (without.trim() === '') await rm(found.custom);
  else await writeFilesDurably([{ path: found.custom, content: without }], found.directory);
  return found.custom;
}

async function findCustom(root: string): Promise<{ directory: string; custom: string; text: string } | undefined> {
  for (const name of ['grub', 'grub2']) {
    const directory = join(root, 'boot', name);
    const config = await readFile(join(directory, 'grub.cfg'), 'utf8').catch(() => undefined);
    if (config === undefined || !config.includes('custom.cfg')) continue;
    const custom = join(directory, 'custom.cfg');
    const text = await readFile(custom, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    return { directory, custom, text };
  }
  return undefined;
}
