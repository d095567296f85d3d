import { z } from 'zod';
import type { SourceFacts } from '../contract/image.ts';

type SourceDisk = SourceFacts['disks'][number];
type SourcePartition = SourceDisk['partitions'][number];

/** What a machine says of its block devices; each may be missing. */
export interface DiskAnswers {
  /** Lines `disk NAME SECTORS LOGICAL-SECTOR-SIZE ROTATIONAL` and `part DISK NAME NUMBER START SECTORS` from /sys/block (sectors of 512). */
  sysBlock: string;
  /** `lsblk --json --bytes --output-all`. */
  lsblk: string;
  /** `sfdisk --json` of each disk, one after another. */
  sfdisk: readonly string[];
}

/** A block device as lsblk shows it, with what the partition holds. */
export interface BlockDevice {
  name: string;
  path: string;
  /** `8:1`. */
  numbers: string;
  fileSystem?: string | undefined;
  label?: string | undefined;
  uuid?: string | undefined;
  mountPoint?: string | undefined;
  model?: string | undefined;
  serial?: string | undefined;
  transport?: string | undefined;
  tableType?: string | undefined;
  partitionType?: string | undefined;
  partitionName?: string | undefined;
}

const text = z.string().nullish().catch(undefined);
const lsblkNode = z.looseObject({
  name: z.string(),
  path: text,
  'maj:min': text,
  fstype: text,
  label: text,
  uuid: text,
  mountpoint: text,
  model: text,
  serial: text,
  tran: text,
  pttype: text,
  parttype: text,
  partlabel: text,
  children: z.array(z.unknown()).optional(),
});
const lsblkOutput = z.looseObject({ blockdevices: z.array(z.unknown()) });
const sfdiskOutput = z.looseObject({
  partitiontable: z.looseObject({
    label: z.string(),
    device: z.string(),
    partitions: z.array(z.looseObject({ node: z.string(), type: z.string(), name: z.string().optional() })).default([]),
  }),
});

/** Every device of lsblk's tree, parents first; none where its output cannot be read (an old lsblk without JSON). */
export function parseLsblk(json: string): BlockDevice[] {
  const root = lsblkOutput.safeParse(parseJson(json));
  return root.success ? root.data.blockdevices.flatMap(flatten) : [];
}

/** The disks of a machine with their partitions. Only /sys is needed; lsblk and sfdisk add what they know. */
export function parseSourceDisks(answers: DiskAnswers): SourceDisk[] {
  const devices = new Map(parseLsblk(answers.lsblk).map((device) => [device.name, device]));
  const tables = answers.sfdisk.flatMap((json) => {
    const parsed = sfdiskOutput.safeParse(parseJson(json));
    return parsed.success ? [parsed.data.partitiontable] : [];
  });
  const disks = new Map<string, SourceDisk>();
  for (const line of answers.sysBlock.split('\n')) {
    const [kind, ...fields] = line.trim().split(/\s+/);
    if (kind === 'disk') {
      const [name = '', sectors, sectorSize, rotational] = fields;
      const size = Number(sectors) * 512;
      if (name === '' || !(size > 0)) continue;
      const device = devices.get(name);
      const table = tables.find((candidate) => candidate.device === `/dev/${name}`);
      disks.set(name, {
        name,
        size,
        sectorSize: Number(sectorSize) || 512,
        label: tableLabel(table?.label ?? device?.tableType),
        ...present({ model: device?.model, serial: device?.serial, transport: device?.transport }),
        ...(rotational === '0' || rotational === '1' ? { rotational: rotational === '1' } : {}),
        partitions: [],
      });
    } else if (kind === 'part') {
      const [disk = '', name = '', number, start, sectors] = fields;
      const device = devices.get(name);
      const row = tables.flatMap((table) => table.partitions).find((candidate) => candidate.node === `/dev/${name}`);
      const partition: SourcePartition = {
        number: Number(number),
        start: Number(start) * 512,
        size: Number(sectors) * 512,
        type: row?.type ?? device?.partitionType?.replace(/^0x/, '') ?? '',
        ...present({
          name: row?.name ?? device?.partitionName,
          fileSystem: device?.fileSystem,
          mountPoint: device?.mountPoint,
        }),
      };
      if (Number.isSafeInteger(partition.number)) disks.get(disk)?.partitions.push(partition);
    }
  }
  for (const disk of disks.values()) disk.partitions.sort((left, right) => left.start - right.start);
  return [...disks.values()];
}

function flatten(value: unknown): BlockDevice[] {
  const node = lsblkNode.safeParse(value);
  if (!node.success) return [];
  const { data } = node;
  const device: BlockDevice = {
    name: data.name,
    path: data.path ?? `/dev/${data.name}`,
    numbers: (data['maj:min'] ?? '').trim(),
    fileSystem: data.fstype ?? undefined,
    label: data.label ?? undefined,
    uuid: data.uuid ?? undefined,
    mountPoint: data.mountpoint ?? undefined,
    model: data.model?.trim() || undefined,
    serial: data.serial?.trim() || undefined,
    transport: data.tran ?? undefined,
    tableType: data.pttype ?? undefined,
    partitionType: data.parttype ?? undefined,
    partitionName: data.partlabel ?? undefined,
  };
  return [device, ...(data.children ?? []).flatMap(flatten)];
}

function tableLabel(label: string | undefined): SourceDisk['label'] {
  return label === 'gpt' || label === 'dos' ? label : 'unknown';
}

/** The fields that have a value. */
export function present<Fields extends Record<string, string | number | undefined>>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== '')) as {
    [Name in keyof Fields]?: Exclude<Fields[Name], undefined>;
  };
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
