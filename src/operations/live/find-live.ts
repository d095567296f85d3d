import type { MachineFacts } from '../../contract/machine.ts';
import type { LiveRecord } from '../../machine/live-record.ts';
import { LiveDisk } from './live-disk.ts';
import { type LiveNote, parseNote } from './live-note.ts';

/** A move that an earlier start began. */
export interface FoundLive {
  disk: LiveDisk;
  record: LiveRecord;
  note: LiveNote;
}

/** The move that a disk of this machine is in the middle of; undefined: none is. What cannot be read is none. */
export async function findLive({ disks }: Pick<MachineFacts, 'disks'>): Promise<FoundLive | undefined> {
  for (const { partitions = [] } of disks) {
    for (const { path, size } of partitions) {
      const found = await lookAt(path, size / 512).catch(() => undefined);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

async function lookAt(path: string, length: number): Promise<FoundLive | undefined> {
  const disk = await LiveDisk.open(path);
  const record = await disk.record(length);
  if (record !== undefined) {
    const text = await disk.note(record);
    const note = text === undefined ? undefined : parseNote(text, path);
    const over = note === undefined || (record.phase === 'done' && (await disk.isOvergrown(note.fileSystem, record)));
    if (!over) return { disk, record, note };
  }
  await disk[Symbol.asyncDispose]();
  return undefined;
}
