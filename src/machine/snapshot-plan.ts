import { displayPath, type RawPath } from '../foundation/brand.ts';
import { isWithin, type Mount, type MountPlan, relativeTo } from './mounts.ts';
import type { MachineAnswers } from './source-facts.ts';

/**
 * How one file system of a capture is held still. `still`: it cannot change (mounted read-only). `live`: it is read as it is, and what
 * changed meanwhile is read again.
 */
export type SnapshotMethod = 'btrfs' | 'lvm' | 'lvm-thin' | 'frozen-copy' | 'still' | 'live';

/** One file system of a capture: the root's first, then those mounted below it, outermost first. */
export interface SnapshotStep {
  mount: Mount;
  method: SnapshotMethod;
  /** Where it is `live`: why there is no snapshot, for people. */
  reason?: string;
  /** `/dev/vda2` for btrfs, `vg/lv` for LVM, the file below a loop device for a frozen copy. */
  source: string;
  /** LVM: bytes of the snapshot; a thin one needs none. */
  size?: number;
  /** Where it belongs in the view, relative to the root's file system. */
  place: RawPath;
}

/** Words that a version record has for each method, under `source.fileSystems[].consistency`. */
export const consistencyWords: Readonly<Record<SnapshotMethod, string>> = {
  btrfs: 'btrfs-snapshot',
  lvm: 'lvm-snapshot',
  'lvm-thin': 'lvm-snapshot',
  'frozen-copy': 'frozen-copy',
  still: 'read-only',
  live: 'live',
};

interface LogicalVolume {
  group: string;
  name: string;
  /** `253:0`. */
  device: string;
  size: number;
  groupFree: number;
  extent: number;
  attributes: string;
  pool: string;
}

interface LoopDevice {
  device: string;
  offset: string;
  file: string;
}

const mebibyte = 1 << 20;
/** A smaller share of a volume than this would be full before a busy machine is read. */
const smallestShare = 0.01;
const lvmFileSystems = ['ext2', 'ext3', 'ext4', 'xfs'];
const reflinkFileSystems = ['xfs', 'btrfs'];

/** What a machine can hold still of a capture, from its answers; pure. The mounts are those of the whole machine. */
export function planSnapshots(answers: MachineAnswers, mounts: readonly Mount[], plan: MountPlan): SnapshotStep[] {
  const { root } = plan;
  if (root === undefined) return [];
  // `planMounts` shows the root from the capture's directory; a snapshot is of the whole file system.
  const holder = mounts.findLast((mount) => mount.mountPoint === root.mountPoint) ?? root;
  const tools = new Set((answers.get('snapshot-tools') ?? '').split(/\s+/));
  const volumes = parseVolumes(answers.get('lvs') ?? '');
  const loops = parseLoops(answers.get('loops') ?? '');
  // What is mounted inside another comes after it.
  const captured = plan.captured.toSorted((left, right) => left.mountPoint.length - right.mountPoint.length);
  const steps = [holder, ...captured].map((mount): SnapshotStep => {
    const step = { mount, source: mount.source, place: relativeTo(holder.mountPoint, mount.mountPoint) };
    const live = (reason: string): SnapshotStep => ({ ...step, method: 'live', reason });
    if (mount.options.split(',').includes('ro')) return { ...step, method: 'still' };
    const missing = ['unshare', 'setsid', 'mkfifo', 'stat'].find((tool) => !tools.has(tool));
    if (missing !== undefined) return live(`the tool ${missing} is missing there`);
    if (mount.type === 'btrfs')
      return tools.has('btrfs') ? { ...step, method: 'btrfs' } : live('btrfs-progs is missing there');
    const volume = volumes.find(({ device }) => device === mount.device);
    if (volume !== undefined) return volumeStep(step, volume, volumes, tools);
    const loop = loops.find(({ device }) => device === mount.device);
    if (loop !== undefined) return loopStep(step, loop, mounts, tools);
    return live(`${mount.type} on ${displayPath(mount.source as RawPath)}, which is no logical volume`);
  });
  return shareFreeSpace(steps, volumes);
}

/** Whether a view must be made: where nothing can be snapshotted, the machine is read as it is. */
export function hasSnapshots(steps: readonly SnapshotStep[]): boolean {
  return steps.some(({ method }) => method !== 'live' && method !== 'still');
}

type Step = Pick<SnapshotStep, 'mount' | 'source' | 'place'>;

function volumeStep(
  step: Step,
  volume: LogicalVolume,
  volumes: readonly LogicalVolume[],
  tools: Set<string>,
): SnapshotStep {
  const source = `${volume.group}/${volume.name}`;
  const live = (reason: string): SnapshotStep => ({ ...step, method: 'live', reason });
  if (!tools.has('lvcreate')) return live('the tool lvcreate is missing there');
  if (!lvmFileSystems.includes(step.mount.type)) return live(`${step.mount.type} on a logical volume`);
  // The first letter of lv_attr, lvs(8): plain, origin, mirrored, RAID, thin.
  const kind = volume.attributes[0] ?? '?';
  if (kind === 'V') {
    const pool = volumes.find(({ group, name }) => group === volume.group && name === volume.pool);
    if (pool?.attributes[4] === 'D') return live(`the thin pool ${volume.pool} is full`);
    return { ...step, source, method: 'lvm-thin' };
  }
  return '-oOrRmM'.includes(kind)
    ? { ...step, source, method: 'lvm' }
    : live(`${source} is a logical volume of a kind that takes no snapshot`);
}

function loopStep(step: Step, loop: LoopDevice, mounts: readonly Mount[], tools: Set<string>): SnapshotStep {
  const live = (reason: string): SnapshotStep => ({ ...step, method: 'live', reason });
  const missing = ['fsfreeze', 'losetup', 'flock'].find((tool) => !tools.has(tool));
  if (missing !== undefined) return live(`the tool ${missing} is missing there`);
  if (!lvmFileSystems.includes(step.mount.type) || loop.offset !== '0')
    return live(`${step.mount.type} in part of a file`);
  const below = mounts
    .filter(({ mountPoint }) => isWithin(loop.file, mountPoint))
    .sort((left, right) => right.mountPoint.length - left.mountPoint.length)[0];
  // A frozen file system must not hold what the freezing itself writes to.
  if (below === undefined || below.device === step.mount.device || !reflinkFileSystems.includes(below.type)) {
    return live(
      `${displayPath(loop.file as RawPath)} lies on ${below?.type ?? 'nothing that is seen'}, which cannot share blocks`,
    );
  }
  const run = mounts
    .filter(({ mountPoint }) => isWithin('/run/imprint', mountPoint))
    .sort((left, right) => right.mountPoint.length - left.mountPoint.length)[0];
  if (run === undefined || run.device === step.mount.device) return live('/run lies on it');
  return { ...step, source: loop.file, method: 'frozen-copy' };
}

/** Each snapshot gets a fifth of its volume, a gibibyte at least, where the group has so much; else its share of what is free. */
function shareFreeSpace(steps: readonly SnapshotStep[], volumes: readonly LogicalVolume[]): SnapshotStep[] {
  const volumeOf = (step: SnapshotStep) => volumes.find(({ group, name }) => `${group}/${name}` === step.source);
  const wanted = new Map<string, number>();
  for (const step of steps) {
    const volume = step.method === 'lvm' ? volumeOf(step) : undefined;
    if (volume !== undefined) wanted.set(volume.group, (wanted.get(volume.group) ?? 0) + volume.size);
  }
  return steps.map((step) => {
    const volume = step.method === 'lvm' ? volumeOf(step) : undefined;
    if (volume === undefined) return step;
    const share = (volume.groupFree * volume.size) / (wanted.get(volume.group) ?? volume.size);
    const enough = Math.min(volume.size * 1.05, Math.max(1024 * mebibyte, volume.size / 5));
    const size = Math.floor(Math.min(share, enough) / volume.extent) * volume.extent;
    if (size >= Math.max(16 * mebibyte, volume.size * smallestShare)) return { ...step, size };
    const free = Math.floor(volume.groupFree / mebibyte);
    return { ...step, method: 'live', reason: `its volume group ${volume.group} has only ${free} MiB free` };
  });
}

/** `lvs` with the columns of `golden-questions.ts`, separated by `|`. */
function parseVolumes(text: string): LogicalVolume[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.trim().split('|');
    const [group = '', name = '', major, minor, size, groupFree, extent, attributes = '', pool = ''] = fields;
    if (group === '' || name === '') return [];
    const volume = { group, name, device: `${major}:${minor}`, size: Number(size), groupFree: Number(groupFree) };
    return [{ ...volume, extent: Number(extent) || 4 * mebibyte, attributes, pool }];
  });
}

/** Lines `NUMBERS OFFSET FILE`. */
function parseLoops(text: string): LoopDevice[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+:\d+) (\d+) (\/.*)$/.exec(line);
    return match === null ? [] : [{ device: match[1] ?? '', offset: match[2] ?? '', file: match[3] ?? '' }];
  });
}
