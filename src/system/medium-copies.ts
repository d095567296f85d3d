import { constants } from 'node:fs';
import { copyFile, mkdir, open, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import { mediumLabels } from '../machine/medium-names.ts';
import { syncDirectory } from '../store/durable.ts';
import { type LabelledDevice, labelledDevices } from './medium-search.ts';
import { mountDevice, unmountTree } from './mount.ts';
import type { Processes } from './run.ts';

/** A file system of a medium that keeps safety copies. */
export interface CopyPlace {
  device: string;
  /** Copies a file into `boot-copies`, under a name that is free. Resolves with where, in words, when it is on the medium. Errors: those of mount and file system. */
  keep(copy: { file: string; machine: string }): Promise<string>;
}

interface CopyMeans {
  processes: Processes;
  clock: Clock;
  /** Where it is mounted meanwhile. */
  directory: string;
}

/** On the medium. */
const copyDirectory = 'boot-copies';

/**
 * Where copies can be kept while `written`, a disk, is overwritten: on the file system that this machine was started from (`own`), else on one labelled
 * `IMPRINT-CFG`. Undefined where none can be written. Errors: `tool-missing`, `process-failed`.
 */
export async function findCopyPlace(
  means: CopyMeans,
  own: string | undefined,
  written: string,
): Promise<CopyPlace | undefined> {
  const found = await labelledDevices(means.processes, [mediumLabels.boot, mediumLabels.settings]);
  const isOwn = ({ device }: LabelledDevice) => device === own;
  const meant = [
    ...found.filter(isOwn),
    ...found.filter((each) => !isOwn(each) && each.label.toUpperCase() === mediumLabels.settings),
  ];
  for (const each of meant) {
    if (each.disk === written || each.fileSystem === 'iso9660' || (await isWriteProtected(each.device))) continue;
    return { device: each.device, keep: (copy) => keepOn(means, each, copy) };
  }
  return undefined;
}

async function isWriteProtected(device: string): Promise<boolean> {
  const text = await readFile(`/sys/class/block/${basename(device)}/ro`, 'utf8').catch(() => '0');
  return text.trim() !== '0';
}

async function keepOn(
  { processes, clock, directory }: CopyMeans,
  { device, fileSystem: type }: LabelledDevice,
  { file, machine }: { file: string; machine: string },
): Promise<string> {
  await mountDevice(processes, { device, directory, type, options: 'rw,nodev,nosuid,noexec' });
  try {
    const target = join(directory, copyDirectory);
    await mkdir(target, { recursive: true });
    for (let number = 1; ; number += 1) {
      const name = `${machine}-${number}.boot.tar.gz`;
      if (await copyNew(file, join(target, name))) {
        await syncDirectory(target);
        return `kept on ${device}: ${copyDirectory}/${name}`;
      }
    }
  } finally {
    await unmountTree(processes, directory, clock);
  }
}

/** False where there is such a file already; half a one does not stay. */
async function copyNew(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
    await using handle = await open(to, 'r+');
    await handle.sync();
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false;
    await rm(to, { force: true });
    throw thrown;
  }
}
