import type { InstallOptions } from '../contract/machine.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { leastLivePartition } from '../machine/live-area.ts';
import type { RootFileSystem } from '../machine/root-file-system.ts';
import { rootSpace } from './install-space.ts';
import type { InstallQuestion } from './plan-install.ts';
import type { Step, StepKind, StepOf } from './step.ts';

/** What a live install cannot put below its root, or into it. */
const unfit: Partial<Record<StepKind, string>> = {
  'make-raid': 'an array',
  'make-crypt': 'an encrypted device',
  'make-group': 'a volume group',
  'make-volume': 'a volume',
  'make-subvolumes': 'subvolumes',
  'make-image': 'a root that is an image file',
  'mount-data': 'file systems beside the root that get a part of the image',
  'bind-directory': 'directories that several systems share',
};

/**
 * Why a machine cannot be in use before it is installed; undefined where it can. Error: `live-unfit`.
 *
 * @param steps of the same install, done as always
 */
export function liveProblem(
  { name, reference, record, content, kernel, running }: InstallQuestion,
  steps: readonly Step[],
): ImprintError | undefined {
  const problem = (problem: string, hint: string) =>
    new ImprintError('live-unfit', { machine: name, reference, problem, hint });
  const ordinary = 'Choose another layout, or install it without --live.';
  for (const { kind } of steps) {
    const what = unfit[kind];
    if (what !== undefined) return problem(`the layout has ${what}`, ordinary);
  }
  const type = rootStep(steps)?.fileSystem;
  if (running !== undefined && type !== running.fileSystem)
    return problem(
      `the system that runs moves block by block and lies on ${running.fileSystem}, and the layout has a root of ${type}`,
      `Leave out --fs; a layout of your own needs a root of ${running.fileSystem}.`,
    );
  const versions = (content?.kernels ?? []).map(({ version }) => version);
  if (kernel !== undefined && versions.length > 0 && !versions.includes(kernel)) {
    const hint = `Give the imager the image's own kernel: imprint media netboot --kernel-from ${reference}`;
    return problem(`the imager runs Linux ${kernel}, and the image has modules for ${versions.join(', ')}`, hint);
  }
  const root = rootStep(steps);
  const room = root && partitionBytes(steps, root.device);
  const least = leastLivePartition(sourceBytes(record.stats) / 512);
  if (room !== undefined && room < least) {
    return problem(
      `its root would have ${formatBytes(room)}, and ${formatBytes(least)} are needed: twice the system, until it is there`,
      ordinary,
    );
  }
  return undefined;
}

/** Steps of an install that starts the system first, and brings its content behind the user's back. */
export function liveSteps({ reference, record, running, name }: InstallQuestion, steps: readonly Step[]): Step[] {
  const root = rootStep(steps);
  const boot = steps.find((step) => step.kind === 'write-boot-partition');
  if (root === undefined || boot === undefined) throw new RangeError('an install without root or boot partition');
  const bytes = sourceBytes(record.stats);
  // The disk's exclusive use is needed for it, so it comes before anything lies on its partitions.
  const loaders = steps.filter(({ kind }) => kind === 'install-bios-boot' || kind === 'install-uefi-boot');
  const restore = steps.findIndex(({ kind }) => kind === 'restore');
  const beside = steps.indexOf(boot);
  const before = steps.slice(0, restore).filter(({ kind }) => !left.has(kind));
  const others = steps.filter((step) => step.kind === 'make-root' && step !== root);
  const { device, fileSystem, uuid } = root;
  const start = { kind: 'start-live', device, fileSystem, uuid, reference, digest: record.digest, bytes } as const;
  const move = { kind: 'move-live', device, fileSystem, boot: boot.device, entry: boot.entry.id, bytes } as const;
  const behind = steps.slice(beside).filter((step) => step.kind !== 'unmount-root' && !loaders.includes(step));
  if (running !== undefined) {
    // What makes a system itself was made when it was started.
    const own = steps.filter(({ kind }) => kind === 'write-fstab');
    const renamed = running.name === name ? [] : [{ kind: 'rename-system' as const, name, before: running.name }];
    return [
      ...before,
      ...loaders,
      start,
      ...own,
      ...renamed,
      { kind: 'hand-over', reference, running: true },
      ...others,
      ...behind,
      move,
    ];
  }
  return [
    ...before,
    ...loaders,
    start,
    ...steps.slice(restore + 1, beside).filter(({ kind }) => kind !== 'write-agent'),
    { kind: 'hand-over', reference },
    // Nobody misses it before the machine is installed, and it is large.
    ...steps.filter(({ kind }) => kind === 'write-agent'),
    ...others,
    ...behind,
    move,
  ];
}

/** Nothing is restored, so nothing of it is prepared. */
const left: ReadonlySet<StepKind> = new Set(['gather-old', 'make-root', 'mount-root']);

/** Bytes of the file system that the version is until it is on the disk. */
function sourceBytes(stats: InstallQuestion['record']['stats']): number {
  return rootSpace(stats);
}

function rootStep(steps: readonly Step[]): StepOf<'make-root'> | undefined {
  const mounted = steps.find((step) => step.kind === 'mount-root');
  return steps.filter((step) => step.kind === 'make-root').find(({ device }) => device === mounted?.device);
}

function partitionBytes(steps: readonly Step[], device: string): number | undefined {
  for (const step of steps) {
    if (step.kind !== 'partition-disk' && step.kind !== 'change-partitions') continue;
    if (!device.startsWith(step.disk)) continue;
    const number = Number(/(\d+)$/.exec(device)?.[1]);
    const found = step.table.partitions.find((each) => each.number === number);
    if (found !== undefined) return found.size * step.table.sectorSize;
  }
  return undefined;
}

/** How a system that runs already is installed: where nobody says another one, on the file system that it lies on. A layout of one's own says which. */
export function runningOptions(options: InstallOptions, fileSystem: RootFileSystem): InstallOptions {
  return { ...(options.layout === 'own' ? {} : { fileSystem }), ...options, live: true };
}
