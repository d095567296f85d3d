import { z } from 'zod';
import type { DiskFacts } from '../contract/machine.ts';
import { parseDevicePath } from '../foundation/brand.ts';
import { type PartitionSources, parsePartitions } from './partition-facts.ts';
import { isExtended } from './partition-kind.ts';
import { compareVersions } from './version-order.ts';

/** What the kernel says of a disk beside lsblk, whose answers to these need udev: from `/sys/block/NAME/…`. */
export interface SysfsDisk {
  serial?: string;
  wwn?: string;
  model?: string;
  transport?: string;
}

export interface DiskSources {
  /** Output of `lsblk --json --bytes --output-all`. */
  lsblk: string;
  /** Text of `/proc/swaps`. */
  swaps?: string;
  /** By kernel name (`sda`). */
  sysfs?: Readonly<Record<string, SysfsDisk>>;
  /** How each disk is divided, by its path; absent: what lsblk says of it. */
  partitions?: Readonly<Record<string, PartitionSources>>;
  /** Also these, though they are no disks (`/dev/loop3`): for tests, and for whoever really means it. */
  also?: readonly string[];
}

/**
 * The disks of a machine, in the order of their names: what they are, what is on them, and why they cannot be written. What is no
 * disk (optical drives, floppies, RAM disks, loop devices, drives without a medium) is left out.
 * Throws a `SyntaxError` or `ZodError` where the text is not lsblk's.
 */
export function parseDisks(sources: DiskSources): DiskFacts[] {
  const { blockdevices } = lsblkSchema.parse(JSON.parse(sources.lsblk));
  const swaps = swapDevices(sources.swaps ?? '');
  return blockdevices
    .filter((device) => isDisk(device) || sources.also?.includes(pathOf(device)))
    .map((device) => diskFacts(device, swaps, sources))
    .sort((left, right) => compareVersions(left.path, right.path));
}

const flag = z.union([z.boolean(), z.string(), z.number()]).nullish();
const number = z.union([z.number(), z.string()]).nullish();
const text = z.string().nullish();

interface Device {
  name: string;
  kname?: string | null | undefined;
  path?: string | null | undefined;
  type?: string | null | undefined;
  size?: number | string | null | undefined;
  'log-sec'?: number | string | null | undefined;
  model?: string | null | undefined;
  serial?: string | null | undefined;
  wwn?: string | null | undefined;
  tran?: string | null | undefined;
  rota?: boolean | string | number | null | undefined;
  rm?: boolean | string | number | null | undefined;
  ro?: boolean | string | number | null | undefined;
  fstype?: string | null | undefined;
  pttype?: string | null | undefined;
  mountpoint?: string | null | undefined;
  mountpoints?: (string | null)[] | null | undefined;
  children?: Device[] | undefined;
}

const deviceSchema: z.ZodType<Device> = z.lazy(() =>
  z.object({
    name: z.string(),
    kname: text,
    path: text,
    type: text,
    size: number,
    'log-sec': number,
    model: text,
    serial: text,
    wwn: text,
    tran: text,
    rota: flag,
    rm: flag,
    ro: flag,
    fstype: text,
    pttype: text,
    mountpoint: text,
    mountpoints: z.array(z.string().nullable()).nullish(),
    children: z.array(deviceSchema).optional(),
  }),
);
const lsblkSchema = z.object({ blockdevices: z.array(deviceSchema) });

/** Not disks though lsblk calls them so: RAM disks, network block devices not connected, the hidden parts of an eMMC. */
const neverDisks = /^(zram|ram|fd|mtdblock)\d+$|^mmcblk\d+(boot\d+|rpmb)$/;

function isDisk(device: Device): boolean {
  return device.type === 'disk' && Number(device.size ?? 0) > 0 && !neverDisks.test(device.kname ?? device.name);
}

function pathOf(device: Device): string {
  return device.path ?? `/dev/${device.kname ?? device.name}`;
}

/** Paths of the disks of lsblk's answer and of their partitions: what else is to be asked of. Errors as `parseDisks`. */
export function diskPaths({ lsblk, also }: DiskSources): { disk: string; partitions: string[] }[] {
  const { blockdevices } = lsblkSchema.parse(JSON.parse(lsblk));
  return blockdevices
    .filter((device) => isDisk(device) || also?.includes(pathOf(device)))
    .map((device) => ({
      disk: pathOf(device),
      partitions: (device.children ?? []).filter(({ type }) => type === 'part').map(pathOf),
    }));
}

function diskFacts(device: Device, swaps: ReadonlySet<string>, sources: DiskSources): DiskFacts {
  const path = pathOf(device);
  const sysfs = sources.sysfs?.[device.kname ?? device.name] ?? {};
  if (parseDevicePath(path) === undefined) throw new SyntaxError(`“${path}” is not a device path`);
  const sectorSize = Number(device['log-sec'] ?? 512) || 512;
  const asked = sources.partitions?.[path];
  const divided = asked === undefined ? {} : parsePartitions(path, sectorSize, asked);
  return {
    path,
    size: Number(device.size ?? 0),
    sectorSize,
    ...optional('model', device.model ?? sysfs.model),
    ...optional('serial', device.serial ?? sysfs.serial),
    ...optional('wwn', device.wwn ?? sysfs.wwn),
    ...optional('transport', device.tran ?? sysfs.transport),
    rotational: isSet(device.rota),
    removable: isSet(device.rm),
    readOnly: isSet(device.ro),
    content: divided.partitions === undefined ? describeUnknown(device, divided) : describeDivided(divided),
    inUse: usesOf(device, swaps),
    ...divided,
  };
}

function optional<Name extends string>(name: Name, value: string | null | undefined): { [Key in Name]?: string } {
  const trimmed = value?.trim();
  return trimmed ? ({ [name]: trimmed } as { [Key in Name]?: string }) : {};
}

function isSet(value: Device['rm']): boolean {
  return value === true || value === 1 || value === '1';
}

function describeUnknown(device: Device, { table }: Pick<DiskFacts, 'table'>): string {
  const told = describeContent(device);
  return table !== undefined && told === 'empty' ? 'a table of another kind' : told;
}

function describeDivided({ table, partitions = [], whole }: Pick<DiskFacts, 'table' | 'partitions' | 'whole'>): string {
  if (table === undefined) return whole?.type ?? 'empty';
  const kinds = partitions.filter((each) => !isExtended(each)).map(({ content }) => content?.type ?? 'unknown');
  return describeTable(table.type, kinds);
}

function describeContent(device: Device): string {
  const partitions = (device.children ?? []).filter((child) => child.type === 'part');
  const table = device.pttype ?? (partitions.length > 0 ? 'partitions' : undefined);
  if (table !== undefined) {
    return describeTable(
      table,
      partitions.map((partition) => partition.fstype ?? 'unknown'),
    );
  }
  return device.fstype ?? 'empty';
}

/** `gpt: 3 partitions (vfat, ext4, unknown)`. */
function describeTable(table: string, kinds: readonly string[]): string {
  const count = `${kinds.length} partition${kinds.length === 1 ? '' : 's'}`;
  return kinds.length > 0 ? `${table}: ${count} (${kinds.join(', ')})` : `${table}: no partitions`;
}

/** Why the device, or anything that lies on it, is busy; each in words. */
function usesOf(device: Device, swaps: ReadonlySet<string>): string[] {
  const path = pathOf(device);
  const mounts = [...(device.mountpoints ?? []), device.mountpoint].filter((point) => typeof point === 'string');
  const uses = [...new Set(mounts.filter((point) => point !== '[SWAP]'))].map((point) => `${path} mounted on ${point}`);
  if (mounts.includes('[SWAP]') || swaps.has(path)) uses.push(`${path} used as swap`);
  for (const child of device.children ?? []) {
    if (child.type !== 'part') uses.push(`${path} part of ${child.type ?? 'device'} ${child.name}`);
    uses.push(...usesOf(child, swaps));
  }
  return [...new Set(uses)];
}

function swapDevices(swaps: string): Set<string> {
  const lines = swaps.split('\n').slice(1);
  return new Set(lines.map((line) => line.split(/\s+/)[0] ?? '').filter((name) => name.startsWith('/dev/')));
}
