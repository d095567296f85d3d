import type { BootEntry, BootPointer } from '../machine/boot-pointer.ts';
import { type MachineSystem, systemOf } from '../machine/boot-systems.ts';
import type { PartitionSlot } from '../machine/installed-layout.ts';

export interface SlotQuestion {
  slots: readonly PartitionSlot[];
  pointer: BootPointer;
  entries: readonly BootEntry[];
  /** Systems that lie beside each other; absent: there is one. */
  systems?: readonly MachineSystem[];
  /** The system that the version is for. Absent: as if there was one. */
  system?: string;
  /** Slot of the entry that runs. */
  running: string | undefined;
  /** The slot that was asked for. */
  asked?: string | undefined;
}

/** A slot that may be overwritten, or why there is none. */
export type SlotChoice = { kind: 'slot'; slot: PartitionSlot } | { kind: 'none'; slot: string; problem: string };

/**
 * The system partition that a version is filled into: never what runs, nor the last good one of any system, nor one of another system. Of the others one that holds nothing first, then
 * one that the pointer does not name, oldest first, and the one before the good one last.
 */
export function chooseSlot({
  slots,
  pointer,
  entries,
  systems = [],
  system,
  running,
  asked,
}: SlotQuestion): SlotChoice {
  const entryOf = (id: string | undefined) => entries.find((entry) => entry.id === id);
  const good = entryOf(pointer.good)?.slot ?? slotOfEntry(pointer.good);
  const besides = new Set(systems.map((each) => entryOf(each.good)?.slot));
  const problemOf = ({ name }: PartitionSlot) => {
    if (name === running) return 'it runs';
    if (name === good || besides.has(name)) return 'it holds the last good version';
    const other = entries.find((entry) => entry.slot === name && system !== undefined && systemOf(entry) !== system);
    if (other !== undefined)
      return `it holds ${other.reference} of another system; imprint slot free ${name} gives it back`;
    return undefined;
  };
  if (asked !== undefined) {
    const slot = slots.find(({ name }) => name === asked);
    const problem = slot === undefined ? 'this machine has no such slot' : problemOf(slot);
    return slot === undefined || problem !== undefined
      ? { kind: 'none', slot: asked, problem: problem ?? '' }
      : { kind: 'slot', slot };
  }
  const spare = slots.filter((slot) => problemOf(slot) === undefined);
  const rank = ({ name }: PartitionSlot): string => {
    const inside = entries.filter((entry) => entry.slot === name);
    if (inside.length === 0) return '0';
    const before = inside.some(({ id }) => id === pointer.previous);
    const newest = inside
      .map(({ created }) => created)
      .sort()
      .at(-1);
    return `${before ? '2' : '1'} ${newest}`;
  };
  const [slot] = spare.toSorted((one, other) => (rank(one) < rank(other) ? -1 : rank(one) > rank(other) ? 1 : 0));
  if (slot !== undefined) return { kind: 'slot', slot };
  return {
    kind: 'none',
    slot: slots.map(({ name }) => name).join(', '),
    problem:
      systems.length > 1
        ? 'each is in use, the last good one of its system, or another system’s; imprint slot free gives one back'
        : 'each is in use or the last good one',
  };
}

/**
 * The system partition for a version that shall lie beside all that is there: one that holds nothing; where a certain one is asked for, also an older version of
 * the same system.
 */
export function chooseSpare(question: SlotQuestion): SlotChoice {
  if (question.asked !== undefined) return chooseSlot(question);
  const { slots, entries } = question;
  const spare = slots.find(({ name }) => !entries.some((entry) => entry.slot === name));
  if (spare !== undefined) return { kind: 'slot', slot: spare };
  const problem = 'none is spare; imprint slot free gives one back';
  return { kind: 'none', slot: slots.map(({ name }) => name).join(', '), problem };
}

/**
 * Entries whose image files stay when a version comes (`digest`): what runs (`running`: its entry), the good one, and the one before it — unless that is
 * this very version, which is made anew under the same name: as the machine left it, it is not what was asked for.
 */
export function entriesThatStay(
  { pointer, entries, running }: Omit<SlotQuestion, 'slots' | 'asked'>,
  digest: string,
): string[] {
  const before = entries.find(({ id }) => id === pointer.previous);
  const ids = [pointer.good, running, before?.digest === digest ? undefined : pointer.previous];
  return ids.filter((id) => id !== undefined);
}

/** By the form of an entry's id. */
function slotOfEntry(id: string): string {
  return id.split('-')[0] ?? id;
}
