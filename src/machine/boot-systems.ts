import { z } from 'zod';
import type { BootEntry, BootPointer } from './boot-pointer.ts';
import { isEntryId } from './boot-pointer-block.ts';
import { isImagerEntry } from './imager-entry.ts';

/**
 * Of a system that does not start by itself what the pointer says of the one that does: its last good entry, and the one before it. Written down in
 * `systems.json` of the boot partition, for userspace alone.
 */
export interface SystemRecord {
  /** As its entries name it; empty: those that name none, from before there were several. */
  system: string;
  good: string;
  previous?: string;
}

/** One of the systems that lie beside each other on a machine. */
export interface MachineSystem extends SystemRecord {
  /** For people: the system's name, or the image of an entry that names none. */
  name: string;
  /** It starts by itself: the pointer's. */
  standard: boolean;
}

/** Bytes of `systems.json`: written in place, so that noting something changes no directory. */
export const systemsSize = 4096;

const recordsSchema = z.object({
  format: z.literal(1),
  systems: z.array(
    z.object({
      system: z.string().max(100),
      good: z.string().refine(isEntryId),
      previous: z.string().refine(isEntryId).optional(),
    }),
  ),
});

/** `systems.json`; nothing where it is not there, or damaged. */
export function parseSystemRecords(text: string): SystemRecord[] {
  try {
    return recordsSchema.parse(JSON.parse(text)).systems as SystemRecord[];
  } catch {
    return [];
  }
}

/** Text of `systems.json` in its fixed length. */
export function renderSystemRecords(systems: readonly SystemRecord[]): string {
  const text = JSON.stringify({ format: 1, systems });
  if (text.length >= systemsSize) throw new RangeError('too many systems for their record');
  return `${text.padEnd(systemsSize - 1, ' ')}\n`;
}

/** The system that an entry belongs to; empty where it names none. */
export function systemOf(entry: Pick<BootEntry, 'system'> | undefined): string {
  return entry?.system ?? '';
}

/**
 * The systems of a machine, that which starts by itself first. What is not written down, or names an entry that is gone, is taken from the entries: the
 * newest of a system, if it can be one that is not on trial, then counts as its good one, so that nothing that somebody may need is overwritten.
 */
export function machineSystems(
  pointer: BootPointer,
  entries: readonly BootEntry[],
  records: readonly SystemRecord[],
): MachineSystem[] {
  const found = (id: string | undefined) => entries.find((entry) => entry.id === id);
  const standard = systemOf(found(pointer.good) ?? found(pointer.previous));
  // The imager is started once, and is nobody's system.
  const ours = entries.filter(({ id }) => !isImagerEntry(id));
  const names = [...new Set([standard, ...ours.map(systemOf)])];
  return names.flatMap((system): MachineSystem[] => {
    const own = ours.filter((entry) => systemOf(entry) === system);
    if (system === standard) {
      const { good, previous } = pointer;
      const name = nameOf(system, found(good));
      return [{ system, name, good, ...(previous === undefined ? {} : { previous }), standard: true }];
    }
    const record = records.find((each) => each.system === system);
    const isOwn = (id: string | undefined) => id !== undefined && own.some((entry) => entry.id === id);
    const sorted = own.toSorted((one, other) =>
      one.created < other.created ? -1 : one.created > other.created ? 1 : 0,
    );
    const newest = sorted.findLast(({ id }) => id !== pointer.trial) ?? sorted.at(-1);
    const good = record !== undefined && isOwn(record.good) ? record.good : newest?.id;
    if (good === undefined) return [];
    const previous =
      record !== undefined && isOwn(record.previous) && record.previous !== good ? record.previous : undefined;
    return [
      {
        system,
        name: nameOf(system, found(good)),
        good,
        ...(previous === undefined ? {} : { previous }),
        standard: false,
      },
    ];
  });
}

/** The system that a person names; undefined: there is none. */
export function namedSystem(systems: readonly MachineSystem[], name: string): MachineSystem | undefined {
  return systems.find((each) => each.name === name);
}

/** The records in which `entry` is the last good one of its system, and what was that is the one before it. */
export function withGood(systems: readonly MachineSystem[], system: string, entry: string): SystemRecord[] {
  const before = systems.find((each) => each.system === system);
  if (before?.good === entry) return systems.map(recordOf);
  const now: SystemRecord = { system, good: entry, ...(before === undefined ? {} : { previous: before.good }) };
  return [...systems.filter((each) => each.system !== system).map(recordOf), now];
}

/** All that is known, also of the one that starts by itself: another may take its place. */
export function recordOf({ system, good, previous }: SystemRecord): SystemRecord {
  return { system, good, ...(previous === undefined ? {} : { previous }) };
}

/** The record of the pointer in which another system starts by itself; what is to be proven stays so. */
export function startingSystem(pointer: BootPointer, { good, previous }: SystemRecord): BootPointer {
  const { trial, tries } = pointer;
  return {
    sequence: pointer.sequence + 1,
    good,
    ...(previous === undefined ? {} : { previous }),
    ...(trial === undefined || trial === good ? { tries: 0 } : { trial, tries }),
  };
}

function nameOf(system: string, entry: Pick<BootEntry, 'reference'> | undefined): string {
  return system === '' ? (entry?.reference.replace(/:[^:]*$/, '') ?? '') : system;
}
