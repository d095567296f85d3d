import { join } from 'node:path';
import type { InstallOptions } from '../../src/contract/machine.ts';
import { runAlone } from './run-alone.ts';

/** What is installed, and on what. */
export interface InstalledDiskWish {
  /** Raw file that becomes the disk. */
  readonly file: string;
  /** As `truncate` takes it: `4G`. */
  readonly size: string;
  /** Host name. */
  readonly name: string;
  /** Reference of the version: `web:1`. */
  readonly image: string;
  readonly options: InstallOptions;
  /** Directory of the data of `imprint`: its store and keys. */
  readonly data: string;
  /** URL of the server that the agent is to ask. */
  readonly server: string;
}

/**
 * Makes a machine's disk as the imager makes it, by the same code, but on this computer and without booting: in seconds. Needs root. An
 * install that fails throws.
 */
export async function installDisk(wish: InstalledDiskWish): Promise<void> {
  await runAlone(join(import.meta.dirname, 'installed-disk-worker.ts'), [JSON.stringify(wish)], 600_000);
}
