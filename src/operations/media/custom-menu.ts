import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFilesDurably } from '../../store/durable.ts';

/** `custom.cfg` of a GRUB that a distribution set up: what belongs to nobody else's menu. */
export interface CustomMenu {
  readonly path: string;
  /** Empty where it is not there. */
  readonly text: string;
}

/** @param directory `/boot/grub` */
export async function readCustomMenu(directory: string): Promise<CustomMenu> {
  const path = join(directory, 'custom.cfg');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return { path, text };
}

/** Lasting; a menu with nothing in it goes. */
export async function writeCustomMenu(directory: string, text: string): Promise<void> {
  const path = join(directory, 'custom.cfg');
  if (text.trim() === '') await rm(path, { force: true });
  else await writeFilesDurably([{ path, content: text }], directory);
}
