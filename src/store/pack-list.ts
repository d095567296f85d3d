import { isHexHash } from './layout.ts';

/** A line of a `.packs` list: a pack, and where its table of contents begins and its file ends. */
export interface PackListLine {
  pack: string;
  tableOffset: number;
  packLength: number;
}

/** The list as text: one line a pack, sorted by pack: 64 hexadecimal digits, table offset, file length. */
export function formatPackList(lines: Iterable<PackListLine>): string {
  return [...lines]
    .toSorted((left, right) => (left.pack < right.pack ? -1 : 1))
    .map(({ pack, tableOffset, packLength }) => `${pack} ${tableOffset} ${packLength}\n`)
    .join('');
}

/** The lines of a list, undefined where it is not exactly as `formatPackList` writes it. The list is advisory. */
export function parsePackList(text: string): PackListLine[] | undefined {
  const lines: PackListLine[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    const [pack = '', tableOffset = '', packLength = ''] = line.split(' ');
    if (!isHexHash(pack)) return undefined;
    lines.push({ pack, tableOffset: Number(tableOffset), packLength: Number(packLength) });
  }
  const good = lines.every(
    ({ tableOffset, packLength }) =>
      Number.isSafeInteger(tableOffset) &&
      tableOffset > 0 &&
      Number.isSafeInteger(packLength) &&
      packLength > tableOffset,
  );
  return good && formatPackList(lines) === text ? lines : undefined;
}
