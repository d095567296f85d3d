import type { DiskFacts } from '../contract/machine.ts';
import { formatBytes, parseBytes } from '../foundation/bytes.ts';

/** One condition of a disk rule. */
export interface DiskCondition {
  /** As it was written. */
  readonly text: string;
  /** True where it names one disk and no other: then a removable or tiny disk is meant, too. */
  readonly names: boolean;
  matches(disk: DiskFacts): boolean;
}

export type DiskChoice = 'only' | 'smallest' | 'largest' | 'first';

/** A disk rule, parsed: all conditions must hold; of what is left the choice takes one. */
export interface DiskRule {
  readonly text: string;
  readonly conditions: readonly DiskCondition[];
  readonly choice: DiskChoice;
}

/**
 * Parses a disk rule: `only`, a device path, or conditions joined by commas: `serial=…`, `wwn=…`, `model=GLOB`, `transport=nvme`,
 * `size>=200G`, `size<=2T`, `smallest`, `largest`, `first`. Throws a `RangeError` that says what is wrong.
 */
export function parseDiskRule(text: string): DiskRule {
  const conditions: DiskCondition[] = [];
  let choice: DiskChoice = 'only';
  for (const part of text.split(',').map((item) => item.trim())) {
    if (part === '') throw new RangeError(`“${text}” has an empty condition`);
    if (part === 'only' || part === 'smallest' || part === 'largest' || part === 'first') {
      if (choice !== 'only') throw new RangeError(`“${text}” says both ${choice} and ${part}`);
      choice = part;
    } else {
      conditions.push(parseCondition(part));
    }
  }
  return { text, conditions, choice };
}

/** A rule that names this disk and, among `others`, no other: by serial where it has one of its own, else by path. */
export function ruleFor(disk: DiskFacts, others: readonly DiskFacts[]): string {
  const own = (value: string | undefined, of: (other: DiskFacts) => string | undefined) =>
    value !== undefined &&
    !value.includes(',') &&
    !others.some((other) => other.path !== disk.path && of(other) === value);
  if (own(disk.serial, (other) => other.serial)) return `serial=${disk.serial}`;
  if (own(disk.wwn, (other) => other.wwn)) return `wwn=${disk.wwn}`;
  return disk.path;
}

/** `/dev/sda (1.8 TiB, Samsung SSD 870, serial S5Y1, gpt: 2 partitions (vfat, ext4))`. */
export function describeDisk(disk: DiskFacts): string {
  const parts = [
    formatBytes(disk.size),
    disk.model,
    disk.serial === undefined ? undefined : `serial ${disk.serial}`,
    disk.content,
  ].filter((part) => part !== undefined);
  return `${disk.path} (${parts.join(', ')})`;
}

function parseCondition(part: string): DiskCondition {
  if (part.startsWith('/dev/')) return { text: part, names: true, matches: (disk) => disk.path === part };
  const match = /^(serial|wwn|model|transport|size)\s*(>=|<=|=)\s*(.+)$/.exec(part);
  const [, field, operator, value] = match ?? [];
  if (field === undefined || operator === undefined || value === undefined) {
    throw new RangeError(
      `“${part}” is no condition; write /dev/NAME, serial=…, wwn=…, model=GLOB, transport=…, size>=200G, size<=2T, smallest, largest, first or only`,
    );
  }
  if (field === 'size') return sizeCondition(part, operator, value);
  if (operator !== '=') throw new RangeError(`“${part}”: only sizes can be compared with ${operator}`);
  const wanted = value.toLowerCase();
  switch (field) {
    case 'serial':
      return { text: part, names: true, matches: (disk) => disk.serial?.toLowerCase() === wanted };
    case 'wwn':
      return { text: part, names: true, matches: (disk) => bareWwn(disk.wwn) === bareWwn(value) };
    case 'transport':
      return { text: part, names: false, matches: (disk) => disk.transport?.toLowerCase() === wanted };
    default: {
      const pattern = globPattern(wanted);
      return { text: part, names: false, matches: (disk) => pattern.test((disk.model ?? '').toLowerCase()) };
    }
  }
}

function sizeCondition(text: string, operator: string, value: string): DiskCondition {
  const bytes = parseBytes(value);
  if (bytes === undefined) throw new RangeError(`“${value}” is not a size; write 200G or 1.5T`);
  const holds = (size: number) =>
    operator === '>=' ? size >= bytes : operator === '<=' ? size <= bytes : size === bytes;
  return { text, names: false, matches: (disk) => holds(disk.size) };
}

function bareWwn(wwn: string | undefined): string | undefined {
  return wwn?.toLowerCase().replace(/^(0x|naa\.|eui\.|uuid\.)/, '');
}

function globPattern(glob: string): RegExp {
  const escaped = glob.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}
