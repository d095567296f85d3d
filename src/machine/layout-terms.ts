import type { LayoutDisk } from '../contract/layout.ts';
import { eraseKindsSchema, type PartitionKind, partitionKindSchema } from '../contract/partition-kind.ts';
import { didYouMean } from './nearest-word.ts';

/** How many disks an entry of a layout stands for. */
export interface DiskCount {
  least: number;
  most: number;
}

/** `2`, `1-4`, `0-1`, `2+`; absent: one. Throws a `RangeError` that says what is wrong. */
export function parseDiskCount(text: string | undefined): DiskCount {
  const match = /^(\d{1,2})(?:(\+)|-(\d{1,2}))?$/.exec(text ?? '1');
  if (match === null) throw new RangeError(`“${text}” is no number of disks; write 2, 1-4 or 2+`);
  const least = Number(match[1]);
  const most = match[2] === '+' ? 64 : match[3] === undefined ? least : Number(match[3]);
  if (most < least || most === 0) throw new RangeError(`“${text}” counts down; write 1-4`);
  return { least, most };
}

/** A way to name one partition of a disk. */
export interface PartitionRule {
  field: 'label' | 'name' | 'uuid' | 'partuuid' | 'number';
  value: string;
}

/** `label=data` and the like; undefined where it is none. */
export function parsePartitionRule(text: string): PartitionRule | undefined {
  const match = /^(label|name|uuid|partuuid|number)=(.+)$/s.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { field: match[1] as PartitionRule['field'], value: match[2] };
}

/** What of a disk may be lost. */
export interface EraseOrder {
  /** Everything, the table with it. */
  all: boolean;
  kinds: ReadonlySet<PartitionKind>;
  rules: readonly PartitionRule[];
  /** Also what belongs to a RAID or volume group that reaches disks outside the layout. */
  shared: boolean;
}

const kindWords = partitionKindSchema.options;
const eraseWords = ['nothing', 'all', 'shared', ...kindWords];

/** The words of `erase`. Throws a `RangeError` that says what is wrong. */
export function parseErase(words: LayoutDisk['erase']): EraseOrder {
  const kinds = new Set<PartitionKind>();
  const rules: PartitionRule[] = [];
  for (const word of words ?? []) {
    const rule = parsePartitionRule(word);
    const kind = kindWords.find((known) => known === word);
    if (rule !== undefined) rules.push(rule);
    else if (kind !== undefined) kinds.add(kind);
    else if (!eraseWords.includes(word)) {
      const known = `write nothing, all, shared, a kind (${kindWords.join(', ')}), or label=…, name=…, uuid=…, number=…`;
      throw new RangeError(`“${word}” names nothing that can be erased${didYouMean(word, eraseWords) || `; ${known}`}`);
    }
  }
  const said = words ?? [];
  if (said.includes('nothing') && said.length > 1) throw new RangeError('it says both nothing and something');
  // What is empty holds nothing that could be lost.
  kinds.add('empty');
  return { all: said.includes('all'), kinds, rules, shared: said.includes('shared') };
}

/** Kinds as a person writes them for a built-in layout, in the form of `eraseKindsSchema`: `Windows, recovery` → `windows,recovery`. Throws a `RangeError` that says what is wrong. */
export function readEraseKinds(text: string): string {
  const read = eraseKindsSchema.safeParse(
    text
      .trim()
      .toLowerCase()
      .replaceAll(/[\s,]+/g, ','),
  );
  if (!read.success) throw new RangeError(read.error.issues[0]?.message);
  return read.data;
}
