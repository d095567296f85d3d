import type { StorageDevice } from '../contract/storage.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { sizeText } from '../machine/layout-yaml.ts';
import { type CapturedContent, captureContent, weightsBySize } from './capture-content.ts';
import { type GoldenStack, mapperPart } from './golden-stack.ts';
import { usualExtent } from './layout-least.ts';
import type { LayoutNames } from './layout-names.ts';

/** A part of a layout with what is to be said of it. */
export interface Captured {
  value: object;
  comments: string[];
}

/** Arrays, encrypted devices and groups; the lists of what they lie on are filled when the partitions get their names. */
export interface CapturedStack {
  raids: (Captured & { members: string[]; spares: string[]; array: string })[];
  crypts: Captured[];
  volumeGroups: (Captured & { volumes: Captured[] })[];
  /** Arrays of what firmware and GRUB read, by device name: each disk gets its own instead. */
  copied: ReadonlyMap<string, CapturedContent>;
  /** What the layout calls a device of the golden machine. */
  named: Map<string, string>;
  /** Says under which name a layout knows what lies on a device, so that the device's own name can be put there. */
  users: Map<string, { name: string; add(ref: string): void }>;
}

/** Everything above partitions. */
export function captureStack(stack: GoldenStack, names: LayoutNames, warnings: string[]): CapturedStack {
  const captured: CapturedStack = {
    raids: [],
    crypts: [],
    volumeGroups: [],
    copied: new Map(),
    named: new Map(),
    users: new Map(),
  };
  const copied = captured.copied as Map<string, CapturedContent>;
  const groupNames = new Map(stack.storage.groups.map(({ name }) => [name, names.take(name)]));
  for (const device of stack.storage.devices) {
    if (/^raid|^linear$/.test(device.type)) captureRaid(stack, device, names, captured, copied, warnings);
    if (device.type === 'crypt') captureCrypt(stack, device, names, captured);
  }
  for (const group of stack.storage.groups)
    captureGroup(stack, group, groupNames.get(group.name) ?? group.name, captured);
  wire(captured);
  return captured;
}

function captureRaid(
  stack: GoldenStack,
  device: StorageDevice,
  names: LayoutNames,
  captured: CapturedStack,
  copied: Map<string, CapturedContent>,
  warnings: string[],
): void {
  const array = stack.storage.arrays.find(({ name }) => name === device.name);
  const level = (array?.level ?? device.type).replace(/^raid/, '');
  const content = captureContent(stack, device);
  if (content?.role === 'boot' || content?.role === 'esp') {
    copied.set(device.name, content);
    return;
  }
  if (!['0', '1', '5', '6', '10'].includes(level)) {
    warnings.push(`the array ${device.name} is of the level ${level}, which layouts do not have`);
    return;
  }
  const metadata = array?.metadata ?? '1.2';
  if (!['0.90', '1.0', '1.1', '1.2'].includes(metadata)) {
    warnings.push(`the array ${device.name} is one of the firmware (${metadata}), which layouts do not have`);
    return;
  }
  const name = names.take(array?.title ?? device.name);
  const raid = {
    members: [] as string[],
    spares: [] as string[],
    array: device.name,
    comments: [`${device.path}: ${formatBytes(device.size)}${content === undefined ? '' : `, ${content.words}`}`],
    value: {} as object,
  };
  raid.value = {
    ...{ name, level, members: raid.members, spares: raid.spares },
    ...(metadata === '1.2' ? {} : { metadata }),
    ...(array?.chunk === undefined || array.chunk === 512 * 1024 ? {} : { chunk: sizeText(array.chunk) }),
    ...contentValue(content),
  };
  captured.raids.push(raid);
  captured.named.set(device.name, name);
  const spare = new Set(array?.members.filter((each) => each.spare).map((each) => each.device));
  for (const below of device.on) {
    const list = spare.has(below) ? raid.spares : raid.members;
    captured.users.set(below, { name, add: (ref) => addOnce(list, ref) });
  }
}

function captureCrypt(stack: GoldenStack, device: StorageDevice, names: LayoutNames, captured: CapturedStack): void {
  const [below = ''] = device.on;
  const content = captureContent(stack, device);
  const entry = stack.storage.crypts.find(({ name }) => name === device.name);
  const version = stack.device(below)?.version;
  const unlock = entry?.options.some((option) => option.startsWith('tpm2-device'))
    ? 'tpm2'
    : entry?.key.startsWith('/') && !entry.key.startsWith('/dev/')
      ? 'key-file'
      : 'passphrase';
  const name = names.take(device.name);
  const crypt = {
    value: {} as Record<string, unknown>,
    comments: [
      `${device.path}: LUKS${version === undefined ? '' : ` ${version}`}, opened by ${entry === undefined ? 'what crypttab does not say' : `crypttab (${entry.key})`}${content === undefined ? '' : `; ${content.words}`}`,
    ],
  };
  crypt.value = {
    ...{ name, device: '' },
    ...(version === '1' ? { version } : {}),
    unlock,
    ...(unlock === 'key-file' ? { keyFile: entry?.key } : {}),
    ...contentValue(content),
  };
  captured.crypts.push(crypt);
  captured.named.set(device.name, name);
  captured.users.set(below, {
    name,
    add: (ref) => {
      crypt.value.device = ref;
    },
  });
}

function captureGroup(
  stack: GoldenStack,
  group: GoldenStack['storage']['groups'][number],
  name: string,
  captured: CapturedStack,
): void {
  const physical: string[] = [];
  const volumes = stack.storage.volumes.filter((each) => each.group === group.name);
  const growing = volumes.map((volume) => {
    const device = stack.device(`${mapperPart(group.name)}-${mapperPart(volume.name)}`);
    return { volume, device, content: device === undefined ? undefined : captureContent(stack, device) };
  });
  const shares = growing.filter(({ volume, content }) => volume.pool === undefined && content?.role !== 'swap');
  const weights = weightsBySize(shares.map(({ volume }) => volume.size));
  // Who leaves a tenth of a group free wants it for snapshots, or for later.
  const roomy = group.free > group.size / 10;
  captured.volumeGroups.push({
    value: {
      ...{ name, physicalVolumes: physical },
      ...(group.extent === usualExtent || group.extent === 0 ? {} : { extent: sizeText(group.extent) }),
    },
    comments: [
      `${formatBytes(group.size)}, of which ${formatBytes(group.free)} are free`,
      ...(roomy ? ['max keeps that room free on larger disks, too; take it away, and the volumes grow'] : []),
    ],
    volumes: growing.map(({ volume, device, content }) => {
      const weight = weights[shares.findIndex((each) => each.volume === volume)];
      const pool = volume.kind === 'thin-pool';
      const fixed = volume.pool !== undefined || content?.role === 'swap';
      const above = device === undefined ? undefined : captured.users.get(device.name);
      if (device !== undefined) captured.named.set(device.name, `${name}/${volume.name}`);
      return {
        value: {
          name: volume.name,
          ...(pool ? { thinPool: true } : {}),
          ...(volume.pool === undefined ? {} : { pool: volume.pool }),
          ...(fixed ? { size: sizeText(volume.size) } : {}),
          ...(fixed || content?.min === undefined ? {} : { min: sizeText(Math.min(content.min, volume.size)) }),
          ...(fixed || !roomy ? {} : { max: sizeText(volume.size) }),
          ...(fixed || weight === undefined ? {} : { weight }),
          ...contentValue(content ?? (pool || above !== undefined ? undefined : { role: 'data' })),
        },
        comments: [
          `/dev/${group.name}/${volume.name}: ${formatBytes(volume.size)}${content === undefined ? (pool ? ', a thin pool' : above === undefined ? ', mounted nowhere: say what it is for' : '') : `, ${content.words}`}`,
        ],
      };
    }),
  });
  for (const device of stack.storage.devices) {
    const mine =
      device.fileSystem === 'LVM2_member' &&
      stack.above(device.name).some((each) => each.name.startsWith(`${mapperPart(group.name)}-`));
    if (mine) captured.users.set(device.name, { name, add: (ref) => addOnce(physical, ref) });
  }
}

function addOnce(list: string[], ref: string): void {
  if (!list.includes(ref)) list.push(ref);
}

/** What lies on an array, an encrypted device or a volume, and not on a partition, has its name already. */
function wire(captured: CapturedStack): void {
  for (const [device, name] of captured.named) captured.users.get(device)?.add(name);
}

/** Role and file system as a layout says them; what its role says by itself is left out. */
export function contentValue(content: Pick<CapturedContent, 'role' | 'fileSystem'> | undefined): object {
  if (content === undefined) return {};
  return { role: content.role, ...(content.fileSystem === undefined ? {} : { fileSystem: content.fileSystem }) };
}
