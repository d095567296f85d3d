import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Task } from '../../../foundation/task.ts';
import type { BootEntry, BootPointer } from '../../../machine/boot-pointer.ts';
import { type BootWords, forgetting, withTrial } from '../../../machine/trial.ts';
import type { BootPartition } from '../../../system/boot-partition.ts';
import { softWordsPath } from '../this-machine.ts';
import type { InPlaceEntry } from './in-place-entries.ts';

/**
 * Takes from the boot partition what an earlier update in place of this root left: the way back, and entries that nothing names. After it no entry wants
 * another state of the root than it has, so that the root's older updates may be forgotten (`finishInPlace`). Returns the pointer as it is then.
 */
export async function retireInPlace(boot: BootPartition, pointer: BootPointer, slot: string): Promise<BootPointer> {
  const others = (await boot.entries()).filter((entry) => entry.slot === slot && entry.id !== pointer.good);
  const ids = others.map(({ id }) => id);
  if (ids.length === 0) return pointer;
  // Also where this record names none of them: the other copy must not either.
  const next = forgetting(pointer, ids) ?? { ...pointer, sequence: pointer.sequence + 1 };
  const now = await boot.writePointer(next);
  for (const id of ids) await boot.removeEntry(id);
  return now;
}

export interface InPlaceDecision {
  back: BootEntry;
  running: BootEntry;
  forward: InPlaceEntry;
  /** Boots that the trial gets. */
  tries: number;
}

/**
 * Decides an update in place that lies ready: from the last record on, every boot brings the root to one of its two versions. Before that record there is
 * no entry left that would boot this root with another kernel than its own. Room is needed for two entries at a time. Returns the pointer.
 */
export async function decideInPlace(
  boot: BootPartition,
  pointer: BootPointer,
  { back, running, forward, tries }: InPlaceDecision,
  task: Task,
): Promise<BootPointer> {
  const { previous } = pointer;
  await boot.addEntry(back, boot.filesOf(running));
  task.log(`${back.id}: the way back`);
  // The same kernel and the same root, which has nothing to undo yet.
  const prepared = await boot.writePointer({
    sequence: pointer.sequence + 1,
    good: back.id,
    ...(previous === undefined ? {} : { previous }),
    tries: 0,
  });
  // The older copy names the entry still that goes: both must be without it.
  const again = await boot.writePointer({ ...prepared, sequence: prepared.sequence + 1 });
  await sayWhatRuns({ entry: back.id, sequence: again.sequence, boot: (await boot.layout()).boot });
  await boot.removeEntry(running.id);
  await boot.addEntry(forward.entry, forward.files);
  const decided = await boot.writePointer(withTrial(again, forward.entry.id, tries));
  task.log(`${forward.entry.id}: on trial from now on`);
  return decided;
}

/** What GRUB would have told the kernel, had it booted what runs now. `boot`: UUID of the boot partition's file system. */
export async function sayWhatRuns({ entry, sequence, boot, left }: BootWords & { boot: string }): Promise<void> {
  const words = [`imprint.slot=${entry}`, `imprint.seq=${sequence}`, `imprint.boot=${boot}`];
  if (left !== undefined) words.push(`imprint.try=${left}`);
  await mkdir(dirname(softWordsPath), { recursive: true });
  await writeFile(softWordsPath, `${words.join(' ')}\n`, { mode: 0o600 });
}
