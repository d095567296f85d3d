import type { BootCopy, BootTable } from '../contract/boot-copy.ts';
import { diskWords } from '../machine/boot-copy-words.ts';
import type { BootFacts } from './boot-facts.ts';

/** How the table of the disk is, against that of the copy. */
export type TableState = 'same' | 'absent' | 'changed';

/**
 * Why a copy is not of this disk, undefined where it is. Names of devices count for nothing: serial number, WWN, size and the table
 * decide, and where the table is gone, the file systems that still lie where the copy saw them. Pure.
 *
 * @param force also onto a disk with another serial number, if all else fits: a clone, a replaced disk
 * @param named somebody said which disk it is: with `force`, one of the same size needs neither a serial number nor its old table
 */
export function mismatch(copy: BootCopy, facts: BootFacts, force = false, named = true): string | undefined {
  const { disk, table, places } = facts;
  const was = copy.disk;
  const state = tableState(copy.table, table);
  const found = places.filter(({ holds }) => holds === 'same').length;
  if (was.sectorSize !== disk.sectorSize) {
    return `it was made of a disk with sectors of ${was.sectorSize} bytes; ${disk.path} has ${disk.sectorSize}`;
  }
  const known = sameName(was.serial, disk.serial) ?? sameName(was.wwn, disk.wwn);
  if (known === false && !force) return `it was made of ${diskWords(was)}, and this is ${diskWords(disk)}`;
  if (known === true) return undefined;
  if (copy.table.label === 'none' && (!force || was.size !== disk.size)) {
    // What was broken, kept before it was mended: nothing is in it by which the disk could be known again.
    return `it was made while the disk, of ${was.size} bytes, had no partition table`;
  }
  if (state === 'same' || copy.table.label === 'none') return undefined;
  if (was.size !== disk.size) return `it was made of a disk of ${was.size} bytes; ${disk.path} has ${disk.size}`;
  if (state === 'changed') {
    const sameId = copy.table.id !== undefined && copy.table.id === table.id && copy.table.label === table.label;
    if ((sameId || (force && named)) && known === undefined) return undefined;
    return `${disk.path} has another partition table, and no serial number says that it is the disk of the copy`;
  }
  const expected = places.filter((place) => place.was !== '').length;
  if (expected > 0 && found === 0) {
    return `${disk.path} has no partition table, and none of the ${expected} file systems of the copy lies where it was`;
  }
  return undefined;
}

export function tableState(copy: BootTable, now: BootFacts['table']): TableState {
  if (now.hash === copy.hash) return 'same';
  return now.label === 'none' ? 'absent' : 'changed';
}

/** What is other in the table now, in words: `partition 3 was larger`. */
export function tableChanges(copy: BootTable, now: BootFacts['table']): string[] {
  if (copy.label !== now.label) return [`it was ${labelWords(copy.label)}, and is ${labelWords(now.label)}`];
  const changes = copy.id === now.id ? [] : [`the disk's identifier was ${copy.id}, and is ${now.id}`];
  for (const was of copy.partitions) {
    const is = now.partitions.find(({ number }) => number === was.number);
    if (is === undefined) changes.push(`partition ${was.number} is gone`);
    else if (is.start !== was.start) changes.push(`partition ${was.number} began elsewhere`);
    else if (is.size !== was.size)
      changes.push(`partition ${was.number} was ${is.size < was.size ? 'larger' : 'smaller'}`);
    else if (is.type !== was.type) changes.push(`partition ${was.number} was of type ${was.type}, and is ${is.type}`);
    else if (is.uuid !== was.uuid || is.name !== was.name || is.active !== was.active || is.flags !== was.flags) {
      changes.push(`partition ${was.number} has another name, identifier or flag`);
    }
  }
  for (const { number } of now.partitions) {
    if (!copy.partitions.some((was) => was.number === number)) changes.push(`partition ${number} is new`);
  }
  return changes;
}

function labelWords(label: BootTable['label']): string {
  return label === 'none' ? 'no table' : label === 'gpt' ? 'a GPT' : 'an MBR';
}

function sameName(was: string | undefined, is: string | undefined): boolean | undefined {
  return was === undefined || is === undefined ? undefined : was === is;
}
