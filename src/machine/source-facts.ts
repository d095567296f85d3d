import type { SourceFacts } from '../contract/image.ts';
import { displayPath, type RawPath } from '../foundation/brand.ts';
import { withoutMachinesOwn } from './kernel-options.ts';
import { isWithin, type Mount, type MountPlan, parseMountInfo, planMounts, reasonToLeaveOut } from './mounts.ts';
import { type BlockDevice, parseLsblk, parseSourceDisks, present } from './source-disks.ts';
import { parseStorage } from './source-storage.ts';

/** Answers of a machine, by section name; the text is latin1 of the bytes. Sections that it could not answer are missing. */
export type MachineAnswers = ReadonlyMap<string, string>;

/** What a machine told of itself, for the capture of `root`. */
export interface SourceSurvey {
  facts: SourceFacts;
  mounts: MountPlan;
  /** Everything that is mounted there, in order. */
  allMounts: Mount[];
  /** Swap files, absolute. */
  swapFiles: RawPath[];
  /** Whether the root is that of a whole system: secrets are scrubbed and the default excludes apply. */
  isSystem: boolean;
}

/**
 * The facts of a source from its answers (`golden-questions.ts`). Nothing is guessed: what was not answered is absent.
 *
 * @param location for the record: `ssh://root@host`, or the directory
 * @param root absolute path of the directory to be captured
 */
export function surveySource(
  answers: MachineAnswers,
  location: string,
  root: RawPath,
  oneFileSystem: boolean,
): SourceSurvey {
  const answer = (name: string) => answers.get(name)?.trim() ?? '';
  const mounts = parseMountInfo(answers.get('mountinfo') ?? '');
  const plan = planMounts(mounts, root, oneFileSystem);
  const wholeMachine = root === '/';
  const release = parseOsRelease(utf8(answer('os-release')));
  const isSystem = release !== undefined || answer('has-etc-usr') === 'yes';
  const devices = parseLsblk(utf8(answer('lsblk')));
  const usage = parseDf(answer('df'));
  const facts: SourceFacts = {
    location,
    ...(wholeMachine ? present({ hostName: answer('hostname'), kernel: answer('kernel') }) : {}),
    ...(isSystem ? present({ architecture: answer('architecture') }) : {}),
    ...(release === undefined ? {} : { system: release }),
    bootMode: wholeMachine ? bootMode(answer('firmware')) : 'unknown',
    ...(wholeMachine ? present({ kernelOptions: withoutMachinesOwn(utf8(answer('cmdline'))) }) : {}),
    disks: wholeMachine
      ? parseSourceDisks({
          sysBlock: answer('sys-block'),
          lsblk: utf8(answer('lsblk')),
          sfdisk: splitJson(utf8(answer('sfdisk'))),
        })
      : [],
    fileSystems: fileSystems(mounts, plan, root, devices, usage),
    ...(wholeMachine ? storageOf(answer) : {}),
  };
  return { facts, mounts: plan, allMounts: mounts, swapFiles: parseSwapFiles(answer('swaps')), isSystem };
}

function storageOf(answer: (name: string) => string): Pick<SourceFacts, 'storage'> {
  const said = (name: string) => utf8(answer(name));
  const storage = parseStorage({
    ...{ lsblk: said('lsblk'), md: said('md'), lvm: said('lvm'), crypttab: said('crypttab') },
    ...{ fstab: said('fstab'), swaps: said('swaps'), zram: said('zram'), meminfo: said('meminfo') },
  });
  return storage === undefined ? {} : { storage };
}

/** `/etc/os-release` (os-release(5)); undefined where it has no ID. */
export function parseOsRelease(text: string): SourceFacts['system'] {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Z][A-Z0-9_]*)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S*))\s*$/.exec(line);
    if (match?.[1] !== undefined)
      values.set(match[1], match[2]?.replaceAll(/\\(.)/g, '$1') ?? match[3] ?? match[4] ?? '');
  }
  const id = values.get('ID');
  if (id === undefined || id === '') return undefined;
  return {
    id,
    ...present({ version: values.get('VERSION_ID') }),
    name: values.get('PRETTY_NAME') ?? values.get('NAME') ?? id,
  };
}

/** Swap files (not partitions) of `/proc/swaps`. */
export function parseSwapFiles(text: string): RawPath[] {
  return text.split('\n').flatMap((line) => {
    const [path, type] = line.split(/\s+/);
    if (type !== 'file' || !path?.startsWith('/')) return [];
    return [
      path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))) as RawPath,
    ];
  });
}

/** Size and used bytes by mount point, from `df -P -k`. */
export function parseDf(text: string): Map<string, { size: number; used: number }> {
  const usage = new Map<string, { size: number; used: number }>();
  for (const line of text.split('\n')) {
    const match = /^.+?\s+(\d+)\s+(\d+)\s+-?\d+\s+\S+\s+(\/.*)$/.exec(line);
    if (match?.[3] !== undefined) usage.set(match[3], { size: Number(match[1]) * 1024, used: Number(match[2]) * 1024 });
  }
  return usage;
}

function fileSystems(
  mounts: readonly Mount[],
  plan: MountPlan,
  root: RawPath,
  devices: readonly BlockDevice[],
  usage: ReadonlyMap<string, { size: number; used: number }>,
): SourceFacts['fileSystems'] {
  const taken = new Set([plan.root, ...plan.captured]);
  const told = mounts.filter((mount) => {
    const reason = reasonToLeaveOut(mount);
    return taken.has(mount) || (isWithin(mount.mountPoint, root) && reason !== 'kernel' && reason !== 'memory');
  });
  return told.map((mount) => {
    const device = devices.find(
      (candidate) =>
        candidate.path === mount.source || (candidate.numbers !== '' && candidate.numbers === mount.device),
    );
    return {
      mountPoint: displayPath(mount.mountPoint),
      type: mount.type,
      device: displayPath(mount.source as RawPath),
      ...present({ uuid: device?.uuid, label: device?.label, options: mount.options }),
      ...usage.get(mount.mountPoint),
      captured: taken.has(mount),
    };
  });
}

function bootMode(answer: string): SourceFacts['bootMode'] {
  return answer === 'uefi' || answer === 'bios' ? answer : 'unknown';
}

/** JSON values written one after another, each beginning with `{` in the first column. */
function splitJson(text: string): string[] {
  return text.split(/^(?=\{)/m).filter((part) => part.trim() !== '');
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}
