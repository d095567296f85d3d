import type { BootEntry, BootPointer } from '../machine/boot-pointer.ts';
import type { PartitionSlot } from '../machine/installed-layout.ts';

export interface SlotQuestion {
  slots: readonly PartitionSlot[];
  pointer: BootPointer;
  entries: readonly BootEntry[];
  /** Slot of the entry that runs. */
  running: string | undefined;
  /** The slot that was asked for. */
  asked?: string | undefined;
}

/** A slot that may be overwritten, or why there is none. */
export type SlotChoice = { kind: 'slot'; slot: PartitionSlot } | { kind: 'none'; slot: string; problem: string };

/**
 * The system partition that a version is filled into: never what runs, nor the last good one. Of the others one that holds nothing first, then
 * one that the pointer does not name, oldest first, and the one before the good one last.
 */
export function chooseSlot({ slots, pointer, entries, running, asked }: SlotQuestion): SlotChoice {
  const entryOf = (id: string | undefined) => entries.find((entry) => entry.id === id);
  const good = entryOf(pointer.good)?.slot ?? slotOfEntry(pointer.good);
  const problemOf = ({ name }: PartitionSlot) =>
    name === running ? 'it runs' : name === good ? 'it holds the last good version' : undefined;
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
    problem: 'each is in use or the last good one',
  };
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
