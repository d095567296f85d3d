import type { BootVolume } from '../../contract/boot-copy.ts';
import type { RestoreStep } from '../../planning/plan-boot-restore.ts';
import type { BootDisk } from '../../system/boot-disk.ts';
import { readBootVariables, variablesDirectory, writeBootVariable } from '../../system/boot-variables.ts';
import { writeFatFiles } from '../../system/fat-files.ts';
import type { BootContext } from './boot-surroundings.ts';
import type { OpenCopy } from './copy-file.ts';

const pieceLength = 1 << 20;

/** Does one step. Errors: `io-failed`, `process-failed`, `tool-missing`. */
export async function applyRestoreStep(
  context: BootContext,
  disk: BootDisk,
  copy: OpenCopy,
  step: RestoreStep,
): Promise<void> {
  switch (step.kind) {
    case 'write-area':
      return writeArea(disk, copy, step.area);
    case 'rebuild-volume':
      return rebuildVolume(disk, copy, step.volume);
    case 'write-files':
      return writeFiles(context, disk, copy, step);
    case 'write-variables':
      return writeVariables(context, copy, step.names);
  }
}

async function writeArea(
  disk: BootDisk,
  copy: OpenCopy,
  { file, offset, length }: { file: string; offset: number; length: number },
): Promise<void> {
  for (let at = 0; at < length; at += pieceLength) {
    disk.write(offset + at, await copy.bytes(file, at, Math.min(pieceLength, length - at)));
  }
}

/** Files first; the tables that make them one file system last. */
async function rebuildVolume(disk: BootDisk, copy: OpenCopy, volume: BootVolume): Promise<void> {
  for (const { file, runs, size } of volume.files) await writeRuns(disk, copy, volume.offset, file, runs, size);
  await disk.flush();
  const { file, runs } = volume.own;
  const total = runs.reduce((sum, { length }) => sum + length, 0);
  await writeRuns(disk, copy, volume.offset, file, runs, total);
}

async function writeRuns(
  disk: BootDisk,
  copy: OpenCopy,
  base: number,
  file: string,
  runs: readonly { offset: number; length: number }[],
  size: number,
): Promise<void> {
  let at = 0;
  for (const { offset, length } of runs) {
    const end = Math.min(size, at + length);
    for (let done = at; done < end; ) {
      const bytes = await copy.bytes(file, done, Math.min(pieceLength, end - done));
      disk.write(base + offset + (done - at), bytes);
      done += bytes.length;
      if (bytes.length === 0) return;
    }
    at = end;
  }
}

async function writeFiles(
  { processes }: BootContext,
  disk: BootDisk,
  copy: OpenCopy,
  { volume, paths }: { volume: BootVolume; paths: readonly string[] },
): Promise<void> {
  const files = volume.files
    .filter(({ path }) => paths.includes(path))
    .map(({ path, file }) => ({ path: Buffer.from(path, 'latin1').toString('utf8'), from: copy.path(file) }));
  // Not to be interrupted in the middle of a file.
  await writeFatFiles(processes, { path: disk.path, offset: volume.offset }, files, new AbortController().signal);
}

/** The order last; what the firmware has learnt since stays, behind what the copy had. */
async function writeVariables(
  { variables: directory = variablesDirectory }: BootContext,
  copy: OpenCopy,
  names: readonly string[],
): Promise<void> {
  const now = (await readBootVariables(directory)) ?? new Map<string, Buffer>();
  for (const name of [...names].sort((one, other) => Number(one === 'BootOrder') - Number(other === 'BootOrder'))) {
    const file = copy.record.variables.find((variable) => variable.name === name)?.file;
    if (file === undefined) continue;
    const was = await copy.bytes(file);
    const content = name === 'BootOrder' ? joinOrders(was, now.get(name)) : was;
    await writeBootVariable(name, content, directory);
  }
}

/** Four bytes of attributes, then numbers of 16 bits. */
function joinOrders(was: Buffer, now: Buffer | undefined): Buffer {
  const numbers = (bytes: Buffer) =>
    Array.from({ length: Math.max(0, (bytes.length - 4) >> 1) }, (_, index) => bytes.readUInt16LE(4 + 2 * index));
  const known = numbers(was);
  const later = now === undefined ? [] : numbers(now).filter((number) => !known.includes(number));
  const tail = Buffer.alloc(2 * later.length);
  for (const [index, number] of later.entries()) tail.writeUInt16LE(number, 2 * index);
  return Buffer.concat([was, tail]);
}
