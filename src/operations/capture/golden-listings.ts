import type { RawPath } from '../../foundation/brand.ts';
import type { Task } from '../../foundation/task.ts';
import type { ListedPath } from '../../machine/golden-listing.ts';
import { excludeSieve, type SelectionRules } from '../../machine/selection.ts';
import type { Golden } from '../../system/golden.ts';
import { ListingTable } from './listing-table.ts';

/** What a later listing says otherwise than the first one. */
export interface LaterListing {
  /** By row of the table: 1 where it is still there. */
  seen: Uint8Array;
  /** New paths and those that are listed otherwise now. */
  changed: Map<RawPath, ListedPath>;
}

/** Lists everything that may be taken. */
export async function listAll(golden: Golden, rules: SelectionRules, task: Task): Promise<ListingTable> {
  const table = new ListingTable();
  for await (const listed of listing(golden, rules, task)) table.add(listed);
  table.seal();
  return table;
}

/** Lists everything once more, and keeps what is otherwise than in the table. */
export async function listAgain(
  golden: Golden,
  rules: SelectionRules,
  table: ListingTable,
  task: Task,
): Promise<LaterListing> {
  const later: LaterListing = { seen: new Uint8Array(table.length), changed: new Map() };
  for await (const listed of listing(golden, rules, task)) {
    const row = table.find(listed.path);
    if (row >= 0) later.seen[row] = 1;
    if (row < 0 || !table.isSame(row, listed)) later.changed.set(listed.path, listed);
  }
  return later;
}

/** Every path that may be taken, in no order. */
async function* listing(golden: Golden, rules: SelectionRules, task: Task): AsyncGenerator<ListedPath> {
  task.expect(0, 'files');
  const keeps = excludeSieve(rules.excluder);
  for await (const records of golden.list([...rules.leftOut, ...rules.notEntered])) {
    task.signal.throwIfAborted();
    for (const record of records) if (keeps(record)) yield record;
    task.advance(records.length);
  }
}
