import { readFile, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import { type ImagerStart, imagerWords } from '../../machine/imager-entry.ts';
import { imagerMenuId, withImagerMenu } from '../../machine/imager-once.ts';
import { writeFilesDurably } from '../../store/durable.ts';
import { type ForeignGrub, findForeignGrub, setNextEntry, unfit } from '../../system/foreign-grub.ts';
import { checkGrubScript } from '../../system/grub-script.ts';
import type { Processes } from '../../system/run.ts';
import { readCustomMenu, writeCustomMenu } from './custom-menu.ts';
import type { FetchedImager } from './fetch-imager.ts';

/** The machine that this runs on, which Imprint did not install. `root` is another than `/` in tests. */
export interface ForeignMachine {
  processes: Processes;
  root: string;
}

/** Bytes that stay free beside the imager. */
const reserve = 16 << 20;
const directoryName = 'imprint-imager';

/**
 * Has the GRUB of a machine that Imprint did not install start the imager at the next boot, and only then: by `custom.cfg` and `next_entry`, as `grub-reboot` does. Nothing that
 * the distribution wrote is changed. Cut anywhere, the machine boots as ever. Errors: `grub-unfit`, `disk-full`, `io-failed`, `process-failed`, `tool-missing`.
 */
export async function stageImagerByGrub(
  { processes, root }: ForeignMachine,
  start: Omit<ImagerStart, 'record'>,
  fetch: () => Promise<FetchedImager>,
): Promise<FetchedImager> {
  const grub = await findForeignGrub(processes, root);
  const imager = await fetch();
  const { record, vmlinuz, initrd } = imager;
  const menu = {
    uuid: grub.uuid,
    directory: `${grub.path}/${directoryName}`,
    words: imagerWords({ ...start, record }),
  };
  const { path: custom, text } = await readCustomMenu(grub.directory);
  const changed = withImagerMenu(text, menu);
  await checkGrubScript(processes, changed);
  // What an earlier call left is not counted on: it is about to be replaced.
  await forget(processes, grub);
  await expectRoom(grub.directory, vmlinuz.length + initrd.length);
  const at = (name: string) => join(grub.directory, directoryName, name);
  const files = [
    { path: at('vmlinuz'), content: vmlinuz },
    { path: at('initrd.img'), content: initrd },
    { path: custom, content: changed },
  ];
  await writeFilesDurably(files, grub.directory);
  for (const { path, content } of files) {
    if (!Buffer.from(content).equals(await readFile(path))) throw unfit(`${path} reads back differently`);
  }
  await setNextEntry(processes, grub, imagerMenuId);
  return imager;
}

/** Takes it back; whether there was anything to take back. Errors as above. */
export async function unstageImagerByGrub({ processes, root }: ForeignMachine): Promise<boolean> {
  return await forget(processes, await findForeignGrub(processes, root));
}

/** The choice first: from then on the machine boots as ever. */
async function forget(processes: Processes, grub: ForeignGrub): Promise<boolean> {
  const { text } = await readCustomMenu(grub.directory);
  const without = withImagerMenu(text, undefined);
  if (without === text) return false;
  await setNextEntry(processes, grub, undefined);
  await writeCustomMenu(grub.directory, without);
  await rm(join(grub.directory, directoryName), { recursive: true, force: true });
  return true;
}

async function expectRoom(directory: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize < bytes + reserve) throw new ImprintError('disk-full', { path: directory });
}
