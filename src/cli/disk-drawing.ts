import type { LayoutSolutionValue, SolvedDiskValue } from '../contract/operations/layouts.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { describePartition } from '../machine/partition-kind.ts';
import type { Style, Terminal } from './terminal.ts';
import { cutText, padText } from './text-width.ts';

/** What becomes of a part of a disk; each has a character of its own, for terminals and papers without colours. */
type Fate = 'stays' | 'lost' | 'new' | 'free';
const marks: Readonly<Record<Fate, { character: string; style: Style }>> = {
  stays: { character: '=', style: 'green' },
  lost: { character: 'x', style: 'red' },
  new: { character: '+', style: 'cyan' },
  free: { character: '.', style: 'dim' },
};

interface Segment {
  /** Of the partition; empty for free room. */
  label: string;
  bytes: number;
  fate: Fate;
}

/** A disk as it is and as it will be, drawn to scale, and each partition in words. */
export function drawDisk(disk: SolvedDiskValue, solution: LayoutSolutionValue, terminal: Terminal): string {
  const { before } = disk;
  const width = Math.min(terminal.columns, 100);
  const lost = new Set(solution.lost.map(({ path }) => path));
  const title = [before.path, formatBytes(before.size), before.model, before.serial && `serial ${before.serial}`];
  const table = `${disk.table.toUpperCase()}${disk.tableKept ? ', which stays' : ''}`;
  const head = cutText(`${title.filter(Boolean).join('  ')}  ${table}`, width);
  const bar = (name: string, segments: readonly Segment[]) =>
    `  ${padText(name, 5)} ${drawBar(segments, width - 8, terminal)}\n`;
  const now = beforeSegments(disk, lost);
  return [
    `${terminal.paint('bold', head)}\n`,
    bar('now', now),
    bar('then', afterSegments(disk)),
    `        ${legend(now, afterSegments(disk), terminal)}\n`,
    ...rows('now', beforeRows(disk, solution, lost), width, terminal),
    ...rows('then', afterRows(disk, solution), width, terminal),
  ].join('');
}

function beforeSegments({ before }: SolvedDiskValue, lost: ReadonlySet<string>): Segment[] {
  const { partitions = [], table, path, size } = before;
  if (table === undefined || partitions.length === 0) {
    return [{ label: '', bytes: size, fate: lost.has(path) ? 'lost' : 'free' }];
  }
  const parts = partitions.filter(({ number, start, size: length }) => !holds(partitions, number, start, length));
  return withGaps(
    parts.map((each) => ({ ...each, fate: lost.has(each.path) ? 'lost' : 'stays' })),
    size,
  );
}

/** Whether others lie within a partition: the extended one of an MBR. */
function holds(
  partitions: readonly { number: number; start: number; size: number }[],
  number: number,
  start: number,
  size: number,
): boolean {
  return partitions.some(
    (each) => each.number !== number && each.start >= start && each.start + each.size <= start + size,
  );
}

function afterSegments({ partitions, before }: SolvedDiskValue): Segment[] {
  const parts = partitions.filter(({ extended }) => extended !== true);
  return withGaps(
    parts.map((each) => ({ ...each, fate: each.kept === undefined ? 'new' : 'stays' })),
    before.size,
  );
}

function withGaps(
  parts: readonly { number: number; start: number; size: number; fate: Fate }[],
  size: number,
): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  // What alignment leaves between partitions is nothing that anybody looks for.
  const visible = Math.max(size / 200, 8 * 1024 ** 2);
  for (const part of [...parts].sort((left, right) => left.start - right.start)) {
    if (part.start - at > visible) segments.push({ label: '', bytes: part.start - at, fate: 'free' });
    segments.push({ label: String(part.number), bytes: part.size, fate: part.fate });
    at = part.start + part.size;
  }
  if (size - at > visible || segments.length === 0) segments.push({ label: '', bytes: size - at, fate: 'free' });
  return segments;
}

/** `|1=|2xxxxx|....|`: each at least as wide as its number, what is left by size. */
function drawBar(segments: readonly Segment[], width: number, terminal: Terminal): string {
  const least = segments.map(({ label }) => Math.max(1, label.length));
  const room = Math.max(0, width - segments.length - 1 - least.reduce((sum, each) => sum + each, 0));
  const total = segments.reduce((sum, { bytes }) => sum + bytes, 0) || 1;
  let given = 0;
  let counted = 0;
  const drawn = segments.map(({ label, bytes, fate }, index) => {
    counted += bytes;
    const more = Math.round((room * counted) / total) - given;
    given += more;
    const { character, style } = marks[fate];
    return terminal.paint(style, label.padEnd((least[index] ?? 1) + more, character));
  });
  return `|${drawn.join('|')}|`;
}

function legend(before: readonly Segment[], after: readonly Segment[], terminal: Terminal): string {
  const there = new Set([...before, ...after].map(({ fate }) => fate));
  return (Object.keys(marks) as Fate[])
    .filter((fate) => there.has(fate))
    .map((fate) => terminal.paint(marks[fate].style, `${marks[fate].character} ${fate}`))
    .join('   ');
}

interface Row {
  number: string;
  bytes: number;
  what: string;
  fate: Fate;
  words: string;
}

function beforeRows({ before }: SolvedDiskValue, { lost }: LayoutSolutionValue, gone: ReadonlySet<string>): Row[] {
  const fateOf = (path: string): Pick<Row, 'fate' | 'words'> => {
    const loss = lost.find((each) => each.path === path);
    if (loss === undefined) return { fate: 'stays', words: 'stays' };
    return { fate: 'lost', words: `LOST${loss.used === undefined ? '' : `, ${formatBytes(loss.used)} in use`}` };
  };
  const whole = lost.find(({ path }) => path === before.path);
  if (whole !== undefined) return [{ number: '', bytes: before.size, what: whole.what, ...fateOf(before.path) }];
  const { partitions = [] } = before;
  return partitions
    .filter(({ path, number, start, size }) => gone.has(path) || !holds(partitions, number, start, size))
    .map((each) => ({
      number: String(each.number),
      bytes: each.size,
      what: describePartition(each),
      ...fateOf(each.path),
    }));
}

function afterRows(disk: SolvedDiskValue, solution: LayoutSolutionValue): Row[] {
  return disk.partitions.map((each) => {
    const { fileSystem, role, name = '', kept, extended } = each;
    const use = usedBy(each.device, solution);
    const plain = role === 'swap' ? 'swap' : role === 'bios-boot' ? 'for GRUB on a BIOS' : use;
    const made = fileSystem?.type ?? plain;
    const where = fileSystem?.mount === undefined ? '' : ` on ${fileSystem.mount}`;
    const what = extended
      ? 'extended: holds the logical ones'
      : `${name}${made === undefined ? '' : `: ${made}`}${where}`;
    const stays = kept !== undefined;
    return {
      number: String(each.number),
      bytes: each.size,
      what: stays && !extended ? (name === '' ? kept : `${name}: ${kept}${where}`) : what,
      fate: stays ? ('stays' as const) : ('new' as const),
      words: stays ? 'stays' : 'new',
    };
  });
}

/** What a partition is a part of. */
function usedBy(device: string, { raids, crypts, volumeGroups }: LayoutSolutionValue): string | undefined {
  const raid = raids.find(({ members }) => members.includes(device));
  const crypt = crypts.find(({ on }) => on === device);
  const group = volumeGroups.find(({ physicalVolumes }) => physicalVolumes.includes(device));
  return raid
    ? `RAID ${raid.level} ${raid.name}`
    : crypt
      ? `encrypted ${crypt.name}`
      : group && `volume group ${group.name}`;
}

function rows(title: string, all: readonly Row[], width: number, terminal: Terminal): string[] {
  const words = Math.max(0, ...all.map((each) => each.words.length));
  const middle = Math.max(10, width - 24 - words);
  return all.map(({ number, bytes, what, fate, words: told }, index) => {
    const name = index === 0 ? title : '';
    const size = padText(formatBytes(bytes), 9, 'right');
    const text = padText(cutText(what, middle, terminal.unicode ? '…' : '...'), middle);
    return `  ${padText(name, 5)}${padText(number, 3, 'right')} ${size}  ${text}  ${terminal.paint(marks[fate].style, told)}\n`;
  });
}
