import type { MachineFacts } from '../../contract/machine.ts';
import type { LiveRecord } from '../../machine/live-record.ts';
import { LiveDisk } from './live-disk.ts';
import { type LiveNote, parseNote } from './live-note.ts';

/** A move that an earlier start began. Nothing of it is open: whoever wants another system on that disk just makes it. */
export interface FoundLive {
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
  await using disk = await LiveDisk.open(path, { readOnly: true });
  const record = await disk.record(length);
  if (record === undefined) return undefined;
  const text = await disk.note(record);
  const note = text === undefined ? undefined : parseNote(text, path);
  const over = note === undefined || (record.phase === 'done' && (await disk.isOvergrown(note.fileSystem, record)));
  return over ? undefined : { record, note };
}
