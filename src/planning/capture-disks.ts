import type { SourceFacts } from '../contract/image.ts';
import type { PartitionKind } from '../contract/partition-kind.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { sizeText } from '../machine/layout-yaml.ts';
import { describePartition, isExtended, partitionKind } from '../machine/partition-kind.ts';
import { captureContent, weightsBySize } from './capture-content.ts';
import { type Captured, type CapturedStack, contentValue } from './capture-stack.ts';
import type { GoldenPartition, GoldenStack } from './golden-stack.ts';
import type { LayoutNames } from './layout-names.ts';

type SourceDisk = SourceFacts['disks'][number];

/** A disk of a captured layout, or several that are divided the same. */
export interface CapturedDisk extends Captured {
  partitions: Captured[];
}

/** A partition before it has its name: what it is for. */
interface Part {
  golden: GoldenPartition;
  /** Same on disks that are divided the same, as is about its share of the disk. */
  sign: string;
  share: number;
  wish: string;
  value: Record<string, unknown>;
  comments: string[];
  /** Bytes, where it grows. */
  grows?: number;
  kind: PartitionKind;
  /** What takes it as a whole. */
  user?: string;
}

const mebibyte = 1024 ** 2;
const biosBoot = '21686148-6449-6E6F-744E-656564454649';
/** Where data usually lies that belongs to the machine, not to its image. */
const keptPlaces = /^\/(data|srv|home|export|scratch|mnt|media|var\/lib\/(docker|libvirt|mysql|postgresql))\b/;

/** The disks with their partitions; equal ones become one entry. Disks that nothing is known to be on are left out, and named. */
export function captureDisks(
  stack: GoldenStack,
  above: CapturedStack,
  names: LayoutNames,
  warnings: string[],
): CapturedDisk[] {
  const all = stack.disks.map((disk) => ({ disk, parts: partsOf(stack, disk, above, warnings) }));
  const used = all.filter(({ disk, parts }) => {
    if (parts.some(({ kind, value }) => kind !== 'unknown' || value.role !== undefined)) return true;
    warnings.push(`${disk.name} (${formatBytes(disk.size)}) holds nothing that this machine mounts: it is left out`);
    return false;
  });
  const groups: { disks: SourceDisk[]; parts: Part[][] }[] = [];
  for (const { disk, parts } of used) {
    const like = groups.find(
      (group) => sameDisks(group.disks[0], disk) && signOf(group.parts[0]) === signOf(parts) && !parts.some(hasOwn),
    );
    if (like === undefined) groups.push({ disks: [disk], parts: [parts] });
    else {
      like.disks.push(disk);
      like.parts.push(parts);
    }
  }
  const boot =
    groups.find(({ parts }) => parts[0]?.some(({ value }) => value.role === 'boot')) ??
    groups.find(({ parts }) => parts[0]?.some(({ value }) => value.role === 'root')) ??
    groups[0];
  return groups.map((group) => {
    const name = names.take(groups.length === 1 ? 'disk' : group === boot ? 'main' : 'more');
    const partitions = partitionsOf(group.parts, above, names);
    if (group === boot)
      partitions.unshift(...firmwareParts(group.parts[0] ?? [], group.disks[0]?.label === 'dos', names));
    return {
      value: {
        name,
        ...matchOf(
          stack,
          groups.map(({ disks }) => disks),
          group.disks,
        ),
        ...(group.disks.length > 1 ? { count: String(group.disks.length) } : {}),
        ...(group.disks[0]?.label === 'dos' ? { table: 'mbr' } : {}),
        erase: eraseOf(group.parts.flat()),
      },
      comments: [
        ...group.disks.map(describeDisk),
        'erase: what an install may take there; Windows and all that is not named stays',
      ],
      partitions,
    };
  });
}

/** What may lie on one disk only. */
function hasOwn({ value }: Part): boolean {
  return value.fileSystem !== undefined && value.role !== 'esp' && value.role !== 'boot';
}

function sameDisks(left: SourceDisk | undefined, right: SourceDisk): boolean {
  return left !== undefined && left.label === right.label && Math.abs(left.size - right.size) < left.size / 50;
}

function signOf(parts: readonly Part[] | undefined): string {
  return (parts ?? []).map(({ sign, golden }) => `${sign}@${Math.round(golden.partition.size / 2 ** 26)}`).join(' ');
}

function partsOf(stack: GoldenStack, disk: SourceDisk, above: CapturedStack, warnings: string[]): Part[] {
  return stack.partitions(disk).flatMap((golden): Part[] => {
    const { partition, device } = golden;
    const facts = { type: partition.type, ...(device.partitionName && { name: device.partitionName }) };
    const content =
      device.fileSystem === undefined
        ? undefined
        : { type: device.fileSystem, ...(device.label && { label: device.label }) };
    const known = { ...facts, ...(content && { content }) };
    if (isExtended(facts)) return [];
    const kind = partitionKind(known);
    const place = `${device.path}: ${formatBytes(partition.size)}`;
    const base = { golden, kind, share: partition.size / disk.size };
    if (partition.type.toUpperCase() === biosBoot) {
      return [
        {
          ...base,
          sign: 'bios',
          wish: 'bios',
          value: { role: 'bios-boot' },
          comments: [`${place}, for GRUB on a BIOS`],
        },
      ];
    }
    const [array] = stack.above(device.name);
    const copy = array === undefined ? undefined : above.copied.get(array.name);
    const own = copy ?? captureContent(stack, device);
    if (own?.role === 'boot' || own?.role === 'esp' || (own === undefined && kind === 'esp')) {
      const role = own?.role ?? 'esp';
      const words =
        copy === undefined
          ? (own?.words ?? 'an EFI system partition')
          : `${copy.words}; it was an array (${array?.name}), here each disk gets its own copy`;
      const size = role === 'boot' ? Math.max(partition.size, 512 * mebibyte) : partition.size;
      return [
        {
          ...base,
          sign: role,
          wish: role,
          value: { role, size: sizeText(Math.ceil(size / mebibyte) * mebibyte) },
          comments: [`${place}, ${words}`],
        },
      ];
    }
    const user = above.users.get(device.name);
    if (user !== undefined) {
      return [
        {
          ...base,
          sign: `of ${user.name}`,
          wish: `${user.name}-part`,
          value: {},
          comments: [`${place}, ${describePartition(known)}`],
          grows: partition.size,
          user: user.name,
        },
      ];
    }
    if (own?.role === 'swap') {
      return [
        {
          ...base,
          sign: 'swap',
          wish: 'swap',
          value: { role: 'swap', size: sizeText(partition.size) },
          comments: [`${place}, swap`],
        },
      ];
    }
    if (own !== undefined) {
      const keeps =
        own.role !== 'root' &&
        own.role !== 'slot' &&
        own.role !== 'host' &&
        keptPlaces.test(own.fileSystem?.mount ?? '');
      const nameless = own.fileSystem?.label === undefined && disk.label === 'dos';
      if (keeps && nameless)
        warnings.push(
          `${device.path} (${own.words}) has no label by which it could be kept: give it one, and write keep: true`,
        );
      const kept =
        keeps && !nameless
          ? 'keep: true, for it looks like data of the machine; without it each install makes it anew'
          : undefined;
      return [
        {
          ...{ ...base, sign: own.role, wish: own.name, grows: partition.size },
          value: {
            ...contentValue(own),
            ...(kept === undefined ? {} : { keep: 'true' }),
            ...(own.min === undefined || kept !== undefined
              ? {}
              : { min: sizeText(Math.min(own.min, partition.size)) }),
          },
          comments: [`${place}, ${own.words}`, ...(kept === undefined ? [] : [kept])],
        },
      ];
    }
    if (kind === 'linux' || kind === 'raid' || kind === 'lvm' || kind === 'luks' || kind === 'unknown') {
      warnings.push(`${place} (${describePartition(known)}) is mounted nowhere: the layout leaves it out`);
      return [];
    }
    return [
      {
        ...base,
        sign: kind,
        wish: kind,
        value: { role: 'foreign', kind },
        comments: [`${place}, ${describePartition(known)}: stays where it is, and is not made`],
      },
    ];
  });
}

/** Names and weights. Of disks that are divided the same one speaks for all, and what lies above names it once. */
function partitionsOf(all: readonly (readonly Part[])[], above: CapturedStack, names: LayoutNames): Captured[] {
  const [first = []] = all;
  // Of what is foreign one entry speaks for all of its kind: the largest.
  const parts = first.filter(({ value, kind, golden }) => {
    if (value.role !== 'foreign') return true;
    const alike = first.filter((each) => each.value.role === 'foreign' && each.kind === kind);
    return golden.partition.size === Math.max(...alike.map((each) => each.golden.partition.size));
  });
  const growing = parts.filter(({ grows }) => grows !== undefined);
  const weights = weightsBySize(growing.map(({ grows = 1 }) => grows));
  return parts.map((part) => {
    const name = names.take(part.wish);
    const weight = weights[growing.indexOf(part)];
    above.users.get(part.golden.device.name)?.add(name);
    const { role, keep, size, min, ...rest } = part.value;
    const value = Object.entries({ name, role, keep, size, min, weight, ...rest }).filter(
      ([, each]) => each !== undefined,
    );
    return { value: Object.fromEntries(value), comments: part.comments };
  });
}

/** What firmware and GRUB need here, and the golden machine has not. */
function firmwareParts(parts: readonly Part[], isMbr: boolean, names: LayoutNames): Captured[] {
  const has = (role: string) => parts.some(({ value }) => value.role === role);
  const add = (wish: string, role: string, why: string): Captured[] =>
    has(role) ? [] : [{ value: { name: names.take(wish), role }, comments: [`the golden machine has none: ${why}`] }];
  return [
    ...add('bios', 'bios-boot', isMbr ? 'an MBR needs none, a GPT does' : 'with it the disk starts on a BIOS, too'),
    ...add('esp', 'esp', 'with it the disk starts on UEFI, too'),
    ...add('boot', 'boot', 'kernels and the menu lie here; GRUB reads nothing else'),
  ];
}

function eraseOf(parts: readonly Part[]): string[] {
  const kinds = new Set<string>(['linux']);
  for (const { kind, user } of parts) if (user !== undefined && ['raid', 'lvm', 'luks'].includes(kind)) kinds.add(kind);
  return [...kinds];
}

/** A rule that tells this entry's disks from the others'; nothing where there are no others. */
function matchOf(
  stack: GoldenStack,
  groups: readonly (readonly SourceDisk[])[],
  own: readonly SourceDisk[],
): { match?: string } {
  const fixed = stack.disks;
  if (groups.length === 1 && fixed.length === own.length) return {};
  const others = fixed.filter((disk) => !own.includes(disk));
  const [first] = own;
  const transport = first?.transport;
  const alike = transport !== undefined && own.every((disk) => disk.transport === transport);
  if (alike && others.every((disk) => disk.transport !== undefined && disk.transport !== transport))
    return { match: `transport=${transport}` };
  const [least, most] = [Math.min(...own.map(({ size }) => size)), Math.max(...own.map(({ size }) => size))];
  if (others.every(({ size }) => size > most * 1.1)) return { match: 'smallest' };
  if (others.every(({ size }) => size < least / 1.1)) return { match: 'largest' };
  const serial = own.length === 1 ? first?.serial : undefined;
  return serial === undefined || serial.includes(',') ? { match: 'first' } : { match: `serial=${serial}` };
}

function describeDisk({ name, size, model, serial, transport, label }: SourceDisk): string {
  const words = [
    formatBytes(size),
    model,
    transport,
    serial === undefined ? undefined : `serial ${serial}`,
    label === 'dos' ? 'MBR' : label === 'gpt' ? 'GPT' : 'no GPT and no MBR',
  ];
  return `/dev/${name}: ${words.filter((word) => word !== undefined).join(', ')}`;
}
