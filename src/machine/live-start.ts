import { builtFileSystems, type LiveSource } from '../contract/image.ts';
import { splitKernelOptions } from './kernel-options.ts';

/** How a live system starts: what its kernel was told (docs/imager.md). */
export type LiveStart = LiveMediumStart | LiveFrugalStart;

/** From a medium of ours; what it writes is kept in memory. */
export interface LiveMediumStart {
  readonly kind: 'medium';
  /** `imprint.medium=`: which. */
  readonly medium: string;
  /** Which of its versions: `web:3`. */
  readonly image: string;
  /** Of its root, made of the version beforehand; absent: an ext4, which is computed. */
  readonly fileSystem?: LiveSource['fileSystem'];
  /** Whether the version is copied into memory first, so that the medium can be taken out. */
  readonly toram: boolean;
}

/** From files on a partition that has other things on it, too. */
export interface LiveFrugalStart {
  readonly kind: 'frugal';
  /** Of the file system with them. */
  readonly uuid: string;
  /** Its directory there, from the root of that file system: `/imprint-live`. */
  readonly directory: string;
  readonly image: string;
  readonly fileSystem?: LiveSource['fileSystem'];
  /** File in that directory with what the system writes; absent: that is kept in memory. */
  readonly changes?: string;
  readonly toram: boolean;
}

const words = {
  live: 'imprint.live',
  medium: 'imprint.medium',
  image: 'imprint.live.image',
  fileSystem: 'imprint.live.fs',
  uuid: 'imprint.live.uuid',
  directory: 'imprint.live.directory',
  changes: 'imprint.live.changes',
} as const;

const uuidPattern = /^[0-9A-Za-z-]{4,64}$/;
const directoryPattern = /^(?:\/[A-Za-z0-9_+=@~-][A-Za-z0-9_.+=@~-]*)+$/;
const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** Whether a directory can be named to the kernel: its path from the root of its file system. */
export function isLiveDirectory(path: string): boolean {
  return directoryPattern.test(path);
}

/** The words that say it, in the order in which people read them. */
export function liveWords(start: LiveStart): string[] {
  const live = start.toram ? `${words.live}=toram` : words.live;
  const fileSystem = start.fileSystem === undefined ? [] : [`${words.fileSystem}=${start.fileSystem}`];
  const what = [live, `${words.image}=${start.image}`, ...fileSystem];
  if (start.kind === 'medium') return [...what, `${words.medium}=${start.medium}`];
  const { uuid, directory, changes } = start;
  return [
    ...[...what, `${words.uuid}=${uuid}`, `${words.directory}=${directory}`],
    ...(changes === undefined ? [] : [`${words.changes}=${changes}`]),
  ];
}

/** What a kernel command line says; undefined where it starts no live system, `wrong` where it says what cannot be. Of a word that comes twice the last counts. */
export function readLiveStart(commandLine: string): LiveStart | { kind: 'wrong'; problem: string } | undefined {
  const said = new Map<string, string>();
  for (const word of splitKernelOptions(commandLine)) {
    if (word === '--') break;
    const [name = '', value = ''] = word.split(/=(.*)/s, 2);
    if (Object.values(words).some((each) => each === name)) said.set(name, value);
  }
  const how = said.get(words.live);
  if (how === undefined) return undefined;
  if (how !== '' && how !== 'toram') return wrong(`${words.live}=${how}: “toram” is all that can stand there`);
  const image = said.get(words.image) ?? '';
  if (image === '') return wrong(`${words.image} is missing: which version is to start`);
  const type = said.get(words.fileSystem);
  const fileSystem = builtFileSystems.find((each) => each === type);
  if (type !== undefined && type !== 'ext4' && fileSystem === undefined)
    return wrong(`${words.fileSystem}=${type}: a root is an ext4, xfs or btrfs`);
  const what = { image, toram: how === 'toram', ...(fileSystem && { fileSystem }) };
  const uuid = said.get(words.uuid);
  const medium = said.get(words.medium);
  if (uuid === undefined && medium === undefined)
    return wrong(`neither ${words.medium} nor ${words.uuid} says where the version lies`);
  if (uuid === undefined) return { kind: 'medium', medium: medium ?? '', ...what };
  return frugal({ uuid, ...what, directory: said.get(words.directory) ?? '' }, said.get(words.changes));
}

function frugal(start: Omit<LiveFrugalStart, 'kind' | 'changes'>, changes: string | undefined) {
  const { uuid, directory, toram } = start;
  if (!uuidPattern.test(uuid)) return wrong(`${words.uuid}=${uuid} is no UUID of a file system`);
  if (!directoryPattern.test(directory)) return wrong(`${words.directory}=${directory} is no directory`);
  if (changes === undefined) return { kind: 'frugal' as const, ...start };
  if (!namePattern.test(changes)) return wrong(`${words.changes}=${changes} is no name of a file`);
  if (toram) return wrong('what a system writes to a partition keeps that in use: toram is of no use there');
  return { kind: 'frugal' as const, ...start, changes };
}

function wrong(problem: string) {
  return { kind: 'wrong' as const, problem };
}

/** Options of the golden machine that change how much memory there is, how far a start goes, or what is said of it: of no use in a live system, or in its way. */
const harmful =
  /^(?:console|earlycon|earlyprintk|quiet|splash|loglevel|debug|init|rdinit|single|s|S|1|emergency|rescue|crashkernel|mem|memmap|maxcpus|nr_cpus|hugepages|hugepagesz|default_hugepagesz|isolcpus|nohz_full|panic|root.*|overlayroot|live-.*|systemd\.unit|systemd\.wants|rd\..*|vga|BOOT_.*)(?:=|$)/;

/** The kernel options that a version recorded, but for those that do not belong into a live system; they may still hold what only the golden machine has. */
export function liveKernelOptions(recorded: string | undefined): string[] {
  return splitKernelOptions(recorded ?? '').filter(
    (option) => !harmful.test(option) && !/[\x00-\x1f\x7f]/.test(option),
  );
}
