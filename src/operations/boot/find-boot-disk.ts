import { realpath, stat } from 'node:fs/promises';
import type { BootDisk as BootDiskFacts } from '../../contract/boot-copy.ts';
import type { DiskFacts } from '../../contract/machine.ts';
import { ImprintError } from '../../foundation/errors.ts';
import { describeDisk, parseDiskRule } from '../../machine/disk-rule.ts';
import { readDisks } from '../../system/machine-facts.ts';
import type { Processes } from '../../system/run.ts';

/** What the kernel says of a disk beside its content. */
export type DiskNames = Partial<Pick<BootDiskFacts, 'model' | 'serial' | 'wwn'>>;

export interface ChosenDisk {
  /** A device or an image file. */
  path: string;
  names: DiskNames;
}

/** Mounted there, a disk is one that this machine boots from. */
const bootMounts = /mounted on (\/|\/boot|\/boot\/efi|\/efi|\/boot\/loader)$/;

/**
 * The disk that is named: a path, or a rule as for installs. Where none is named: the one that this machine boots from, else its only fixed one.
 * Errors: `boot-disk-unknown`, `process-failed`, `tool-missing`.
 */
export async function findBootDisk(processes: Processes, wish: string | undefined): Promise<ChosenDisk> {
  if (wish !== undefined && (await isPath(wish))) return namesOf(processes, wish);
  const disks = (await readDisks(processes)).filter(({ readOnly }) => !readOnly);
  if (wish === undefined) return chosen(onlyBootDisk(disks));
  return chosen(byRule(disks, wish));
}

/** Every disk of this machine that could be meant, for a copy to be matched with. Errors: `process-failed`, `tool-missing`. */
export async function allDisks(processes: Processes): Promise<ChosenDisk[]> {
  return (await readDisks(processes)).map(chosen);
}

async function namesOf(processes: Processes, path: string): Promise<ChosenDisk> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ImprintError('boot-disk-unknown', { problem: `there is no ${path}` }, { cause });
  });
  if (!found.isBlockDevice()) return { path, names: {} };
  const device = await realpath(path);
  const disk = (await readDisks(processes, [device])).find((each) => each.path === device);
  return disk === undefined ? { path: device, names: {} } : chosen(disk);
}

function onlyBootDisk(disks: readonly DiskFacts[]): DiskFacts {
  const booted = disks.filter(({ inUse }) => inUse.some((use) => bootMounts.test(use)));
  const fixed = disks.filter(({ removable }) => !removable);
  return only(booted.length > 0 ? booted : fixed, 'this machine has');
}

function byRule(disks: readonly DiskFacts[], text: string): DiskFacts {
  let rule: ReturnType<typeof parseDiskRule>;
  try {
    rule = parseDiskRule(text);
  } catch (thrown) {
    if (!(thrown instanceof RangeError)) throw thrown;
    throw new ImprintError('boot-disk-unknown', { problem: `there is no file ${text}, and ${thrown.message}` });
  }
  const fitting = disks.filter((disk) => rule.conditions.every((condition) => condition.matches(disk)));
  return only(fitting, `the rule ${text} fits`);
}

function only(disks: readonly DiskFacts[], subject: string): DiskFacts {
  const [disk, ...others] = disks;
  if (disk === undefined) throw new ImprintError('boot-disk-unknown', { problem: `${subject} no disk` });
  if (others.length > 0) {
    const problem = `${subject} ${disks.length} disks: ${disks.map(describeDisk).join('; ')}`;
    throw new ImprintError('boot-disk-unknown', { problem });
  }
  return disk;
}

function chosen({ path, model, serial, wwn }: DiskFacts): ChosenDisk {
  const names: DiskNames = {
    ...(model === undefined ? {} : { model }),
    ...(serial === undefined ? {} : { serial }),
    ...(wwn === undefined ? {} : { wwn }),
  };
  return { path, names };
}

async function isPath(text: string): Promise<boolean> {
  if (text.startsWith('/dev/')) return true;
  return stat(text).then(
    () => true,
    () => false,
  );
}
