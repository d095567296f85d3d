import { copyFile, open, rm } from 'node:fs/promises';
import { systemProcesses } from '../../../src/system/run.ts';
import { WriteLog } from '../write-log.ts';

const settings = { timeout: 60_000, env: { DM_DISABLE_UDEV: '1' } };
const diskName = 'cut-disk';
const file = '/run/disk.img';
/** A disk above a file in memory, as the product sees it. */
export const diskPath = `/dev/mapper/${diskName}`;

async function attach(path: string): Promise<string> {
  const { stdout } = await systemProcesses.run('losetup', ['--find', '--show', path], settings);
  return stdout.trim();
}

async function detach(loops: readonly string[]): Promise<void> {
  await systemProcesses.run('losetup', ['--detach', ...loops], settings);
}

async function withDisk<Result>(table: string, work: () => Promise<Result>): Promise<Result> {
  await systemProcesses.run('dmsetup', ['create', diskName, '--table', table], settings);
  try {
    return await work();
  } finally {
    await systemProcesses.run('dmsetup', ['remove', '--retry', diskName], settings);
  }
}

/** A disk whose content was copied from the file `image`, while `work` goes on. */
export async function onDisk<Result>(image: string, size: number, work: () => Promise<Result>): Promise<Result> {
  await copyFile(image, file);
  const loop = await attach(file);
  try {
    return await withDisk(`0 ${size / 512} linear ${loop} 0`, work);
  } finally {
    await detach([loop]);
  }
}

/** The same; everything that was written to it, and every flush, is in the log that comes back. */
export async function onLoggedDisk(image: string, size: number, work: () => Promise<void>): Promise<WriteLog> {
  const log = '/run/disk.log';
  await copyFile(image, file);
  await rm(log, { force: true });
  await using handle = await open(log, 'w');
  await handle.truncate(1 << 30);
  const loops = [await attach(file), await attach(log)];
  try {
    await withDisk(`0 ${size / 512} log-writes ${loops.join(' ')}`, work);
  } finally {
    await detach(loops);
  }
  return WriteLog.open(log);
}
