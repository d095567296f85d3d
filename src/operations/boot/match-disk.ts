import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import { diskWords } from '../../machine/boot-copy-words.ts';
import { readDiskStructure, tableHash } from '../../machine/disk-structure.ts';
import type { PlaceFacts } from '../../planning/boot-facts.ts';
import { mismatch } from '../../planning/match-boot-copy.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import type { BootContext } from './boot-surroundings.ts';
import type { OpenCopy } from './copy-file.ts';
import { allDisks, type ChosenDisk, findBootDisk } from './find-boot-disk.ts';
import { probeContent } from './scan-boot.ts';

/**
 * The disk that a copy is of: the one that was named, or among all disks of this machine the only one that fits by what it is, whatever it is
 * called today. Errors: `boot-disk-unknown`, `process-failed`, `tool-missing`.
 */
export async function matchDisk(
  context: BootContext,
  copy: OpenCopy,
  { disk, force }: { disk?: string | undefined; force: boolean },
  signal: AbortSignal,
): Promise<ChosenDisk> {
  if (disk !== undefined) return findBootDisk(context.processes, disk);
  const fitting: ChosenDisk[] = [];
  const reasons: string[] = [];
  for (const candidate of await allDisks(context.processes)) {
    // A disk that cannot be read must not keep another from being found.
    const problem = await whyNot(context, copy, candidate, force, signal).catch((thrown: unknown) =>
      unreadable(thrown),
    );
    if (problem === undefined) fitting.push(candidate);
    else reasons.push(`${candidate.path}: ${problem}`);
  }
  const [found, ...others] = fitting;
  const was = `the copy is of ${diskWords(copy.record.disk)}`;
  if (found === undefined) {
    const problem =
      reasons.length === 0 ? 'this machine has no disk' : `no disk here is that one (${reasons.join('; ')})`;
    throw new ImprintError('boot-disk-unknown', { problem: `${was}, and ${problem}` });
  }
  if (others.length > 0) {
    throw new ImprintError('boot-disk-unknown', {
      problem: `${was}, and several fit: ${fitting.map(({ path }) => path).join(', ')}`,
    });
  }
  return found;
}

/** Errors: `interrupted`, `not-root`: they are of all disks. */
function unreadable(thrown: unknown): string {
  const error = toImprintError(thrown);
  if (error.code === 'interrupted' || error.code === 'not-root') throw error;
  return error.message;
}

async function whyNot(
  { processes }: BootContext,
  copy: OpenCopy,
  { path, names }: ChosenDisk,
  force: boolean,
  signal: AbortSignal,
): Promise<string | undefined> {
  using disk = await BootDisk.open(processes, path, 'read', copy.record.disk.sectorSize);
  const structure = readDiskStructure((offset, length) => disk.read(offset, length), disk.size, disk.sectorSize);
  const { label, id, partitions } = structure;
  const places: PlaceFacts[] = [];
  // Only where the table is gone do they decide.
  if (label === 'none' && disk.size === copy.record.disk.size) {
    for (const { number, start, size, content } of copy.record.table.partitions) {
      if (content === undefined) continue;
      const now = await probeContent(processes, disk, { start, size }, signal);
      const holds =
        now === undefined ? 'nothing' : now.uuid === content.uuid && now.type === content.type ? 'same' : 'other';
      places.push({ number, holds, was: content.type, now: now?.type ?? 'nothing' });
    }
  }
  return mismatch(
    copy.record,
    {
      disk: { path, size: disk.size, sectorSize: disk.sectorSize, ...names },
      table: { label, ...(id === undefined ? {} : { id }), hash: tableHash(structure), partitions },
      problems: structure.problems,
      areas: [],
      volumes: [],
      places,
      kernel: [],
      machine: {},
    },
    force,
    false,
  );
}
