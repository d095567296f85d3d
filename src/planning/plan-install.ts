import type { VersionRecord } from '../contract/image.ts';
import type { Layout, LayoutFileSystem } from '../contract/layout.ts';
import type { DiskFacts, InstallOptions, MachineFacts, PartitionFacts } from '../contract/machine.ts';
import type { Script } from '../contract/scripts.ts';
import { parseBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type BootRoot, placeOfSlot } from '../machine/boot-arguments.ts';
import { installedMounts } from '../machine/fstab.ts';
import type { ImageContent } from '../machine/image-content.ts';
import { entryId, type InstalledLayout, imagePath } from '../machine/installed-layout.ts';
import { mergeKernelOptions } from '../machine/kernel-options.ts';
import { layoutDevices } from '../machine/layout-devices.ts';
import type { InstalledNetwork } from '../machine/network-files.ts';
import { isExtended } from '../machine/partition-kind.ts';
import type { PartitionTable } from '../machine/partition-table.ts';
import type { RootFileSystem } from '../machine/root-file-system.ts';
import { eraseProblem } from './erase-problem.ts';
import { gatherSteps } from './gather-old.ts';
import { imageProblem } from './image-problem.ts';
import { type FreshDisk, type PlannedDisk, planDisk } from './install-layout.ts';
import { imageSpace } from './install-space.ts';
import { layoutNeeds } from './layout-needs.ts';
import type { LayoutSolution, Loss, SolvedDisk } from './layout-solution.ts';
import { liveProblem, liveSteps } from './live-steps.ts';
import { installProblem, keptProblem, orderedLayout } from './own-layout.ts';
import { type BootCopyKeeper, withBootCopies } from './save-boot-steps.ts';
import { firstBootScriptSteps, postInstallSteps, preInstallSteps, scriptsProblem } from './script-steps.ts';
import { solveLayout } from './solve-layout.ts';
import { stackProblem } from './stack-problem.ts';
import { stackSteps } from './stack-steps.ts';
import { startSteps } from './start-steps.ts';
import type { FirstEntry, Step } from './step.ts';

/** Names that the new system gets, made before planning so that planning stays pure; see `freshIdentity`. */
export interface FreshIdentity extends FreshDisk {
  /** 32 hexadecimal digits. */
  machineId: string;
}

export interface InstallQuestion {
  /** Host name that the machine gets. */
  name: string;
  facts: MachineFacts;
  /** `web:3`. */
  reference: string;
  record: VersionRecord;
  /** Absent where the manifest was not read (a dry run on the server): then its kernels are not checked. */
  content?: ImageContent;
  options: InstallOptions;
  fresh: FreshIdentity;
  /** Whom the machine reports to; absent: nobody. */
  report?: { server: string; order: string; session: string };
  /** The address that it is to have by itself; absent: as the image is configured. */
  network?: Omit<InstalledNetwork, 'kernelNames'>;
  /** Scripts of the server for this machine, and the groups that it is in. */
  scripts?: readonly Script[];
  groups?: readonly string[];
  /** Who keeps what booted from the disks before; absent: nobody can. */
  keepsBoot?: BootCopyKeeper;
  /** The version is fetched over a network: what the old system has of it is taken from there. */
  remote?: true;
  /** Linux of the imager (`uname -r`), which a live install goes on with; absent: not known yet. */
  kernel?: string;
  /** The system runs already, under this name, and moves as it is; its root has the UUID of `fresh`. */
  running?: { name: string; fileSystem: RootFileSystem };
  /** Number of the object at the server that is brought back; absent: the machine begins anew. */
  object?: number;
}

export type InstallPlan =
  /** `others`: disks beside the one that the machine starts from, of which something is written. */
  | { kind: 'plan'; disk: DiskFacts; others: DiskFacts[]; steps: Step[]; lost: Loss[] }
  | { kind: 'refused'; error: ImprintError };

/**
 * What an install will do, or why it will not. Pure.
 *
 * Refusals: `image-unfit`, `disk-none`, `disk-ambiguous`, `disk-in-use`, `disk-too-small`, `disk-shared`, `disk-holds-data`, `disk-erase-unsaid`, `layout-unsolvable`,
 * `layout-invalid`, `live-unfit`, `input-invalid` (a disk rule that is none).
 */
export function planInstall(question: InstallQuestion): InstallPlan {
  const { facts, name, reference, record, content, options } = question;
  const { architecture, firmware } = facts;
  const unfit = imageProblem({ machine: name, architecture, firmware, reference, record, content });
  if (unfit !== undefined) return { kind: 'refused', error: unfit };
  const unscripted = scriptsProblem(question);
  if (unscripted !== undefined) return { kind: 'refused', error: unscripted };
  const layout = layoutOf(options);
  if (layout instanceof ImprintError) return { kind: 'refused', error: layout };
  const impossible =
    layoutProblem(question, layout) ??
    (options.layout === 'own' ? (installProblem(layout, name) ?? stackProblem(question, layout)) : undefined);
  if (impossible !== undefined) return { kind: 'refused', error: impossible };
  const answer = solveLayout({
    layout,
    disks: facts.disks,
    firmware: facts.firmware,
    needs: layoutNeeds(layout, record.stats, record.source.fileSystems),
    machine: name,
    reference,
  });
  if (answer.kind === 'refused') return answer;
  const { solution } = answer;
  const disk = solution.disks.find(({ partitions }) => partitions.some(({ role }) => role === 'boot'));
  if (disk === undefined) throw new RangeError('a layout without a boot partition');
  const beside = options.layout === 'own' ? keptProblem(solution, name) : undefined;
  if (beside !== undefined) return { kind: 'refused', error: beside };
  const unsaid = eraseProblem(question, solution.lost);
  if (unsaid !== undefined) return { kind: 'refused', error: unsaid };
  const usual = stepsFor(question, layout, solution, disk);
  const unlive = options.live ? liveProblem(question, usual) : undefined;
  if (unlive !== undefined) return { kind: 'refused', error: unlive };
  const steps = withBootCopies(question, options.live ? liveSteps(question, usual) : usual);
  const others = solution.disks
    .map(({ facts: each }) => each)
    .filter((each) => each !== disk.facts && isWritten(each, steps));
  return { kind: 'plan', disk: disk.facts, others, steps, lost: solution.lost };
}

function isWritten({ path }: DiskFacts, steps: readonly Step[]): boolean {
  return steps.some((step) => (step.kind === 'wipe-disk' || step.kind === 'change-partitions') && step.disk === path);
}

function layoutOf(options: InstallOptions): Layout | ImprintError {
  try {
    return orderedLayout(options);
  } catch (error) {
    if (error instanceof ImprintError) return error;
    throw error;
  }
}

/** Only an initial RAM disk finds a root that is a file. */
function layoutProblem({ name, reference, content }: InstallQuestion, layout: Layout): ImprintError | undefined {
  const inFiles = layoutDevices(layout).some(({ role }) => role === 'host');
  if (!inFiles || content === undefined) return undefined;
  if (content.kernels[0]?.initrd !== undefined) return undefined;
  return new ImprintError('image-unfit', {
    reference,
    machine: name,
    problem: `its kernel ${content.kernels[0]?.version ?? ''} has no initial RAM disk, which the layout “files” needs`,
    hint: 'Install initramfs-tools or dracut on the golden machine and capture it again, or choose another layout.',
  });
}

function stepsFor(question: InstallQuestion, intent: Layout, solution: LayoutSolution, solved: SolvedDisk): Step[] {
  const { name, reference, record, content, fresh } = question;
  const { facts: disk } = solved;
  const planned = planDisk(
    solution,
    solved,
    { ...question.options, mounts: intent.mounts, swapping: intent.swap },
    fresh,
  );
  const { layout, device, starts } = planned;
  const golden = record.source.hostName;
  const steps: Step[] = [
    ...preInstallSteps(question, disk),
    ...gatherSteps(question, solution),
    ...tableSteps(solved, planned.table),
    ...planned.others.flatMap((each) => tableSteps(each.disk, each.table)),
    ...stackSteps(solution, layout.stack),
    ...starts.flatMap(({ esp }): Step[] => (esp === undefined ? [] : [{ kind: 'make-esp', ...esp }])),
    ...planned.swaps.map((swap): Step => ({ kind: 'make-swap', device: swap.device, uuid: swap.fresh.uuid })),
  ];
  const root = rootOf(question, planned);
  const entry = firstEntry(question, planned, root);
  steps.push(
    ...makeDataSteps(planned),
    ...root.make,
    ...mountDataSteps(planned, solution),
    ...bindSteps(planned),
    { kind: 'restore', reference, digest: record.digest, bytes: record.stats.contentBytes },
    ...swapFileSteps(intent, solution),
    { kind: 'write-fstab', mounts: installedMounts(layout, root) },
    ...keySteps(layout),
    {
      kind: 'write-identity',
      name,
      ...(golden === undefined ? {} : { goldenName: golden }),
      machineId: fresh.machineId,
      sshHostKeys: content?.sshServer ?? true,
      relabel: content?.selinux ?? false,
    },
    ...networkSteps(question, entry),
    ...agentSteps(question),
    ...objectSteps(question, layout),
    ...firstBootScriptSteps(question, disk),
    ...postInstallSteps(question, disk),
    {
      kind: 'write-boot-partition',
      device: device('boot'),
      layout,
      entry,
    },
    ...copySteps(planned),
    root.done,
    ...starts.flatMap((start) => startSteps(start, layout)),
  );
  return steps;
}

/** A boot partition on each disk that shall start the machine by itself. */
function copySteps({ starts, layout, device }: PlannedDisk): Step[] {
  const from = device('boot');
  return starts.flatMap(({ boot }): Step[] =>
    boot === undefined || boot.uuid === layout.boot
      ? []
      : [{ kind: 'copy-boot-partition', from, device: boot.device, uuid: boot.uuid }],
  );
}

/** When the version is there: a restore wants nothing beside mount points. */
function swapFileSteps({ swap }: Layout, { mounts }: LayoutSolution): Step[] {
  return swap.flatMap(({ file, size }): Step[] => {
    if (file === undefined) return [];
    const on = mounts.filter(({ mount }) => mount === '/' || file.startsWith(`${mount}/`)).at(-1);
    return [{ kind: 'make-swap-file', path: file, bytes: parseBytes(size) ?? 0, fileSystem: on?.type ?? 'ext4' }];
  });
}

/** Where nobody is asked. */
function keySteps({ stack }: InstalledLayout): Step[] {
  const keys = (stack?.crypts ?? []).flatMap(({ name, keyFile }) =>
    keyFile === undefined ? [] : [{ name, path: keyFile }],
  );
  return keys.length === 0 ? [] : [{ kind: 'write-crypt-keys', keys }];
}

/** A disk of which nothing stays is made anew; else only what goes is touched. */
function tableSteps({ facts, tableKept, partitions }: SolvedDisk, table: PartitionTable): Step[] {
  const { path: disk } = facts;
  if (!tableKept) {
    return [
      { kind: 'wipe-disk', disk },
      { kind: 'partition-disk', disk, table },
    ];
  }
  const stays = partitions.flatMap(({ kept }) => (kept === undefined ? [] : [kept]));
  const gone = (facts.partitions ?? []).filter((each) => !stays.includes(each));
  // A disk for data of which all stays is not touched at all.
  if (gone.length === 0 && stays.length === partitions.length) return [];
  const paths = (all: readonly PartitionFacts[]) => all.filter((each) => !isExtended(each)).map(({ path }) => path);
  return [
    { kind: 'clear-partitions', disk, partitions: paths(gone), kept: paths(stays) },
    { kind: 'change-partitions', disk, remove: gone.map(({ number }) => number), table },
  ];
}

/** Before the root, so that all is there when it is mounted. */
function makeDataSteps({ data }: PlannedDisk): Step[] {
  return data.flatMap(({ device, fileSystem, kept, fresh: { uuid } }): Step[] => {
    if (fileSystem === undefined || kept !== undefined) return [];
    const { type, label, make = [] } = fileSystem;
    return [
      { kind: 'make-data', device, fileSystem: type, uuid, ...(label === undefined ? {} : { label }), options: make },
      ...subvolumeSteps(device, fileSystem),
    ];
  });
}

function subvolumeSteps(device: string, fileSystem: LayoutFileSystem | undefined): Step[] {
  const names = (fileSystem?.subvolumes ?? []).map(({ name }) => name);
  return names.length === 0 ? [] : [{ kind: 'make-subvolumes', device, subvolumes: names }];
}

/** What is kept is not mounted: its files are the machine's, whatever the version has there. */
function mountDataSteps({ data, root }: PlannedDisk, { mounts }: LayoutSolution): Step[] {
  return mounts.flatMap(({ device, mount, type, subvolume }): Step[] => {
    // Of the root's own file system there may be other subvolumes.
    const made =
      data.some((each) => each.device === device && each.kept === undefined) ||
      (device === root?.device && subvolume !== undefined);
    if (!made || mount === 'none' || mount === '/') return [];
    return [{ kind: 'mount-data', device, fileSystem: type, mount, ...(subvolume && { subvolume }) }];
  });
}

/** As the machine will have it, so that what the version holds there lies in what all systems share. */
function bindSteps({ layout: { shared = [], data = [] } }: PlannedDisk): Step[] {
  return shared.flatMap(({ source, mount, type }): Step[] => {
    const below = data.findLast((each) => source.startsWith(`${each.mount}/`));
    if (type !== 'bind' || below?.kept) return [];
    return [{ kind: 'bind-directory', source, mount, mode: /\/tmp$/.test(mount) ? 0o1777 : 0o755 }];
  });
}

/** Where the version goes: what makes the place, and what lets go of it. */
interface PlannedRoot {
  slot: string;
  uuid: string;
  type: 'ext4' | 'xfs' | 'btrfs';
  /** The same for the kernel's command line. */
  boot: BootRoot;
  make: Step[];
  done: Step;
}

function rootOf(
  { record, fresh }: InstallQuestion,
  { layout, table, partition, device, root: plannedRoot }: PlannedDisk,
): PlannedRoot {
  const inodes = Math.ceil(record.stats.entries * 1.5) + 65_536;
  if (layout.host !== undefined) {
    const { fileSystem, uuid } = layout.host;
    const host = device('host');
    const path = imagePath(record.digest);
    const bytes = imageSpace(record.stats, partition('host').size * table.sectorSize);
    return {
      ...{ slot: 'file', uuid: fresh.image, type: 'ext4' },
      boot: { purpose: 'file', host: uuid, image: path },
      make: [
        { kind: 'make-host', device: host, fileSystem, uuid },
        { kind: 'mount-host', device: host, fileSystem },
        { kind: 'make-image', path, bytes, uuid: fresh.image, inodes },
      ],
      done: { kind: 'place-image', device: host, path },
    };
  }
  const [first] = layout.slots;
  if (first === undefined) throw new RangeError('a layout without a slot');
  const several = layout.layout === 'slots';
  const deviceOf = (name: string) => (several ? device('slot', name) : device('root'));
  const { uuid, fileSystem } = first;
  return {
    ...{ slot: first.name, uuid, type: fileSystem },
    boot: { purpose: several ? 'partition' : 'in-place', ...placeOfSlot(first) },
    make: [
      ...layout.slots.map((slot) => ({
        kind: 'make-root' as const,
        device: deviceOf(slot.name),
        ...(several ? { slot: slot.name } : {}),
        fileSystem: slot.fileSystem,
        uuid: slot.uuid,
        inodes,
      })),
      ...subvolumeSteps(deviceOf(first.name), several ? undefined : plannedRoot?.fileSystem),
      {
        kind: 'mount-root',
        device: deviceOf(first.name),
        fileSystem,
        ...(first.subvolume !== undefined && { subvolume: first.subvolume }),
      },
    ],
    done: { kind: 'unmount-root', device: deviceOf(first.name) },
  };
}

function networkSteps({ network }: InstallQuestion, { options }: FirstEntry): Step[] {
  if (network === undefined) return [];
  return [{ kind: 'write-network', network: { ...network, kernelNames: options.includes('net.ifnames=0') } }];
}

function agentSteps({ content, report, record }: InstallQuestion): Step[] {
  const { digest } = record;
  if (content?.systemd === false) return [];
  if (content?.runsNode !== false) return [{ kind: 'write-agent', ...report, digest }];
  return report === undefined ? [] : [{ kind: 'write-first-boot', ...report, digest }];
}

/** Also for an image that cannot run the agent: it is the machine's all the same. */
function objectSteps({ object, facts, report }: InstallQuestion, layout: InstalledLayout): Step[] {
  if (object === undefined) return [];
  const macs = facts.interfaces.map(({ mac }) => mac);
  return [{ kind: 'lay-object', number: object, layout, macs, ...(report && { server: report.server }) }];
}

function firstEntry(question: InstallQuestion, { layout }: PlannedDisk, root: PlannedRoot): FirstEntry {
  const { reference, record, content, options } = question;
  const [kernel] = content?.kernels ?? [];
  const system = record.source.system?.name;
  return {
    id: entryId(root.slot, record.digest),
    slot: root.slot,
    ...(layout.layout === 'slots' ? { system: record.image } : {}),
    reference,
    digest: record.digest,
    title: system === undefined ? reference : `${reference} · ${system}`,
    root: root.boot,
    options: mergeKernelOptions(record.source.kernelOptions, options.kernelOptions, layout.swap),
    ...(kernel === undefined ? {} : { kernel }),
  };
}
