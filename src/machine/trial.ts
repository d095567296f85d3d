import type { BootPointer, TrialCount } from './boot-pointer.ts';
import { droppedEntry, revertTarget, triesLeft } from './decide-boot.ts';
import { splitKernelOptions } from './kernel-options.ts';

/** What GRUB told the kernel of the boot that goes on (docs/boot.md). */
export interface BootWords {
  /** `imprint.slot`: the entry that was booted. */
  entry: string;
  /** `imprint.seq`: the pointer's sequence number by which GRUB decided. */
  sequence: number;
  /** `imprint.try`: tries that are left after this one; only on trials. */
  left?: number;
  /** `imprint.up`: seconds that the kernel had run when it was restarted softly; absent: it was started with the system. */
  up?: number;
}

/** How the boot that goes on stands to the pointer as it is now. */
export type BootSituation =
  /** The good entry runs, and nothing is to be proven. */
  | { kind: 'settled'; entry: string }
  /** The entry that runs is to be proven. `left`: tries after this one. */
  | { kind: 'trial'; entry: string; left: number }
  /** The good entry runs; the next boot is a trial. */
  | { kind: 'pending'; entry: string; trial: string }
  /** The good entry runs because the trial has used up its tries. */
  | { kind: 'fell-back'; entry: string; trial: string }
  /** The entry before the good one runs, or the good one after a trial had begun, because somebody asked for it with a `system-revert`. */
  | { kind: 'reverting'; entry: string }
  /** The image file that somebody dropped on the host partition runs, and is to be proven. */
  | { kind: 'dropped'; left: number }
  /** The last good entry of another system than the one that starts by itself runs. */
  | { kind: 'beside'; entry: string }
  /** Another entry runs: chosen in the menu, or the good one could not be booted. */
  | { kind: 'stray'; entry: string };

/** The words on a kernel command line; undefined where no entry of ours was booted. */
export function bootWords(commandLine: string): BootWords | undefined {
  const words = splitKernelOptions(commandLine.trim());
  const value = (name: string) => words.findLast((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const entry = value('imprint.slot');
  const sequence = count(value('imprint.seq'));
  if (entry === undefined || !/^[a-z0-9-]{1,40}$/.test(entry) || sequence === undefined) return undefined;
  const left = count(value('imprint.try'));
  const up = count(value('imprint.up'));
  return { entry, sequence, ...(left === undefined ? {} : { left }), ...(up === undefined ? {} : { up }) };
}

/**
 * How the boot stands to the pointer, by what GRUB counted (undefined: it could not read the count, and so gave no try). `besides`: the last good entries of
 * other systems.
 */
export function situationOf(
  pointer: BootPointer,
  tries: TrialCount | undefined,
  words: BootWords,
  besides: readonly string[] = [],
): BootSituation {
  const { entry, sequence } = words;
  if (entry === droppedEntry) return { kind: 'dropped', left: words.left ?? tries?.newLeft ?? 0 };
  const left = triesLeft(pointer, tries);
  if (entry === pointer.trial) return { kind: 'trial', entry, left: words.left ?? left };
  const reverting = tries?.revert === pointer.sequence && entry === revertTarget(pointer, tries);
  if (reverting) return { kind: 'reverting', entry };
  if (entry !== pointer.good) return { kind: besides.includes(entry) ? 'beside' : 'stray', entry };
  if (pointer.trial === undefined) return { kind: 'settled', entry };
  // GRUB saw the trial and went past it: no try is left. With some left, somebody chose the good entry in the menu.
  if (sequence === pointer.sequence && left === 0) return { kind: 'fell-back', entry, trial: pointer.trial };
  return { kind: 'pending', entry, trial: pointer.trial };
}

/** The record that has `entry` tried at the next boot. */
export function withTrial(pointer: BootPointer, entry: string, tries: number): BootPointer {
  return { ...withoutTrial(pointer), trial: entry, tries };
}

/** The record in which nothing is to be proven. */
export function withoutTrial(pointer: BootPointer): BootPointer {
  const { good, previous } = pointer;
  return { sequence: pointer.sequence + 1, good, ...(previous === undefined ? {} : { previous }), tries: 0 };
}

/** The record in which `entry` is the good one, and the good one of before is what one goes back to. */
export function committed(pointer: BootPointer, entry: string): BootPointer {
  if (entry === pointer.good) return withoutTrial(pointer);
  return { sequence: pointer.sequence + 1, good: entry, previous: pointer.good, tries: 0 };
}

/** The record that goes back: good and previous exchanged. Undefined where there is nothing to go back to. */
export function reverted(pointer: BootPointer): BootPointer | undefined {
  return pointer.previous === undefined ? undefined : committed(pointer, pointer.previous);
}

/** The record without what is about to be overwritten; undefined where it names none of them. Throws a `RangeError` for the good one. */
export function forgetting(pointer: BootPointer, entries: readonly string[]): BootPointer | undefined {
  if (entries.includes(pointer.good)) throw new RangeError(`${pointer.good} is the good entry`);
  const named = [pointer.previous, pointer.trial].some((entry) => entry !== undefined && entries.includes(entry));
  if (!named) return undefined;
  const { previous, trial } = pointer;
  return {
    sequence: pointer.sequence + 1,
    good: pointer.good,
    ...(previous === undefined || entries.includes(previous) ? {} : { previous }),
    ...(trial === undefined || entries.includes(trial) ? { tries: 0 } : { trial, tries: pointer.tries }),
  };
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
