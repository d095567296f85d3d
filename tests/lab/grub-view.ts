import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BootEntry, BootPointer, TrialCount } from '../../src/machine/boot-pointer.ts';
import { choosePointer, parsePointerAsGrub, parseTries } from '../../src/machine/boot-pointer-block.ts';
import { bootPartitionPaths } from '../../src/machine/installed-layout.ts';
import { systemProcesses } from '../../src/system/run.ts';
import { inDirectory } from './partition-file.ts';

/** An entry as GRUB finds it: what it says of itself, and what its files really are. */
export interface SeenEntry {
  readonly id: string;
  /** `entry.json`; absent where it cannot be read. */
  readonly entry?: BootEntry;
  /** SHA-256 of each of its files that GRUB can read to its end, by its name. */
  readonly files: Readonly<Record<string, string>>;
  /** There is the fragment of the menu: without it GRUB does not boot the entry. */
  readonly offered: boolean;
}

/** All that GRUB can know of a disk: read with GRUB's own code (`grub-fstest`), which does not carry journals on. */
export interface GrubView {
  readonly pointer?: BootPointer;
  readonly tries?: TrialCount;
  readonly entries: readonly SeenEntry[];
}

/** Reads what GRUB sees on the boot partition, number `partition`, of a raw disk. */
export async function grubView(disk: string, partition: number): Promise<GrubView> {
  const grub = new GrubReader(disk, partition);
  const [a, b, tries] = await Promise.all(
    [...bootPartitionPaths.pointers, bootPartitionPaths.tries].map((path) => grub.read(path)),
  );
  const pointer = choosePointer(a && parsePointerAsGrub(a), b && parsePointerAsGrub(b));
  const count = tries && parseTries(tries);
  const ids = await grub.list(bootPartitionPaths.slots);
  return {
    entries: await Promise.all(ids.map((id) => seenEntry(grub, id))),
    ...(pointer && { pointer }),
    ...(count && { tries: count }),
  };
}

async function seenEntry(grub: GrubReader, id: string): Promise<SeenEntry> {
  const place = `${bootPartitionPaths.slots}/${id}`;
  const names = await grub.list(place);
  const files: Record<string, string> = {};
  let entry: BootEntry | undefined;
  for (const name of names) {
    const content = await grub.read(`${place}/${name}`);
    if (content === undefined) continue;
    files[name] = createHash('sha256').update(content).digest('hex');
    if (name === 'entry.json') entry = parsedEntry(content);
  }
  return { id, files, offered: names.includes('entry.cfg'), ...(entry && { entry }) };
}

function parsedEntry(content: Buffer): BootEntry | undefined {
  try {
    return JSON.parse(content.toString('utf8')) as BootEntry;
  } catch {
    return undefined;
  }
}

class GrubReader {
  readonly #disk: string;
  readonly #partition: string;

  constructor(disk: string, partition: number) {
    this.#disk = disk;
    this.#partition = `(loop0,gpt${partition})`;
  }

  /** A file's bytes; undefined where GRUB does not find it or fails to read it. */
  async read(path: string): Promise<Buffer | undefined> {
    return inDirectory(async (directory) => {
      const copy = join(directory, 'copy');
      const { status } = await this.#run('cp', `/${path}`, copy);
      return status === 0 ? readFile(copy).catch(() => undefined) : undefined;
    });
  }

  /** Names in a directory, without `.` and `..`. */
  async list(path: string): Promise<string[]> {
    const { stdout } = await this.#run('ls', `/${path}/`);
    return stdout
      .split(/\s+/)
      .map((name) => name.replace(/\/$/, ''))
      .filter((name) => name !== '' && name !== '.' && name !== '..');
  }

  #run(command: string, path: string, ...more: string[]) {
    const words = [this.#disk, command, `${this.#partition}${path}`, ...more];
    return systemProcesses.run('grub-fstest', words, { accept: [0, 1], timeout: 60_000 });
  }
}
