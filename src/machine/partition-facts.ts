import { z } from 'zod';
import type { DiskContent, DiskFacts, PartitionFacts } from '../contract/machine.ts';
import { sfdiskTableSchema } from './sfdisk-table.ts';
import { memberGroup, usedBytes } from './superblock.ts';

/** What tools and first sectors say of a disk and its partitions; each may be missing. */
export interface PartitionSources {
  /** `sfdisk --json DISK`; absent where it found no table. */
  table?: string;
  /** `wipefs --json DEVICE`, by device path; it needs no udev, as lsblk does. */
  signatures: Readonly<Record<string, string>>;
  /** The first bytes of a device (`superblockReach`), by its path. */
  heads: Readonly<Record<string, Uint8Array>>;
}

const signatureSchema = z.looseObject({
  signatures: z.array(z.looseObject({ type: z.string(), uuid: z.string().nullish(), label: z.string().nullish() })),
});

/** Signatures that say how a disk is divided, not what it holds. */
const tables = new Set(['dos', 'gpt', 'PMBR', 'mac', 'bsd', 'sun', 'sgi', 'atari']);

/** The part of a disk's facts that tells how it is divided. Nothing where no source could be read. */
export function parsePartitions(
  disk: string,
  sectorSize: number,
  sources: PartitionSources,
): Pick<DiskFacts, 'table' | 'partitions' | 'whole'> {
  const parsed = sources.table === undefined ? undefined : sfdiskTableSchema.safeParse(parseJson(sources.table));
  if (!parsed?.success) {
    if (sources.signatures[disk] === undefined) return {};
    const whole = contentOf(disk, sources) ?? unknownContent(sources.heads[disk]);
    // A table that sfdisk cannot read is no empty disk.
    if (whole === undefined || whole.type === unknownType) {
      if (hasTable(sources.signatures[disk])) return { table: { type: 'other' } };
    }
    return {
      partitions: [],
      ...(whole === undefined ? {} : { whole: { ...whole, ...groupOf(disk, whole, sources) } }),
    };
  }
  const { label, id, sectorsize, partitions } = parsed.data.partitiontable;
  const type = label === 'gpt' ? 'gpt' : label === 'dos' ? 'mbr' : 'other';
  const unit = sectorsize ?? sectorSize;
  return {
    table: { type, ...(id === undefined ? {} : { id }) },
    partitions: partitions
      .map((row): PartitionFacts => {
        const content = contentOf(row.node, sources);
        return {
          number: Number(/(\d+)$/.exec(row.node)?.[1] ?? 0),
          path: row.node,
          start: row.start * unit,
          size: row.size * unit,
          type: type === 'mbr' ? row.type.toLowerCase().padStart(2, '0') : row.type.toUpperCase(),
          ...present('name', row.name),
          ...present('uuid', row.uuid),
          ...present('attributes', row.attrs),
          ...(row.bootable === true ? { active: true } : {}),
          ...(content === undefined ? {} : { content, ...groupOf(row.node, content, sources) }),
        };
      })
      .sort((left, right) => left.start - right.start || left.number - right.number),
  };
}

/** What `whole` is called where there is something, and nobody knows what. */
const unknownType = 'unknown';

/** A disk without any signature whose beginning is not blank: a database's own, an encryption without a header, or what was once wiped. */
function unknownContent(head: Uint8Array | undefined): DiskContent | undefined {
  return head === undefined || head.every((byte) => byte === 0) ? undefined : { type: unknownType };
}

function hasTable(signatures: string | undefined): boolean {
  const parsed = signatureSchema.safeParse(parseJson(signatures ?? ''));
  return parsed.success && parsed.data.signatures.some(({ type }) => tables.has(type));
}

function contentOf(path: string, { signatures, heads }: PartitionSources): DiskContent | undefined {
  const parsed = signatureSchema.safeParse(parseJson(signatures[path] ?? ''));
  if (!parsed.success) return undefined;
  const found = parsed.data.signatures.find(({ type }) => !tables.has(type));
  if (found === undefined) return undefined;
  const head = heads[path];
  const used = head === undefined ? undefined : usedBytes(found.type, head);
  return {
    type: found.type,
    ...present('label', found.label),
    ...present('uuid', found.uuid),
    ...(used === undefined ? {} : { used }),
  };
}

function groupOf(path: string, content: DiskContent, { heads }: PartitionSources): Pick<PartitionFacts, 'group'> {
  const group = memberGroup(content, heads[path] ?? new Uint8Array());
  return group === undefined ? {} : { group };
}

function present<Name extends string>(name: Name, value: string | null | undefined): { [Key in Name]?: string } {
  return value ? ({ [name]: value } as { [Key in Name]?: string }) : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
