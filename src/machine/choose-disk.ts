import type { DiskFacts } from '../contract/machine.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type DiskRule, describeDisk, parseDiskRule, ruleFor } from './disk-rule.ts';

/** Smaller than this, a disk is no system disk (a boot ROM, a management controller's stick) unless a rule names it. */
const tinyDisk = 1024 ** 3;

export interface DiskQuestion {
  disks: readonly DiskFacts[];
  /** `diskRuleSchema`; absent: `only`. */
  rule?: string | undefined;
  /** Bytes that a disk must hold; it may depend on the disk, as small ones get small boot partitions. */
  needed(disk: DiskFacts): number;
  /** For messages: the machine's name and the image's reference. */
  machine: string;
  reference: string;
}

export type DisksAnswer = { kind: 'disks'; disks: DiskFacts[] } | { kind: 'refused'; error: ImprintError };

/**
 * Which disks may be written: at least and at most so many, or none. More than `most` are ambiguous unless the rule says which (`smallest`, `largest`,
 * `first`), also where one is too small or in use, as it may be the one that was meant; where `least` is 0, none is an answer, too. Removable and tiny disks
 * count only where a rule names them by path, serial or WWN (removable ones also by transport); read-only ones never.
 *
 * Refusals: `disk-none`, `disk-ambiguous`, `disk-too-small`, `disk-in-use`, `input-invalid` (the rule itself).
 */
export function chooseDisks(question: DiskQuestion, count: { least: number; most: number }): DisksAnswer {
  const { machine, disks } = question;
  let rule: DiskRule;
  try {
    rule = parseDiskRule(question.rule ?? 'only');
  } catch (problem) {
    if (!(problem instanceof RangeError)) throw problem;
    return refused(new ImprintError('input-invalid', { field: 'disk', problem: problem.message }));
  }
  const rejected: string[] = [];
  const candidates: DiskFacts[] = [];
  for (const disk of disks) {
    const reason = whyNot(disk, rule);
    if (reason === undefined) candidates.push(disk);
    else rejected.push(`${rule.conditions.length === 0 ? disk.path : describeDisk(disk)} ${reason}`);
  }
  const { chosen, tied } = narrow(candidates, rule, count.most);
  if (tied.length > 0) {
    return refused(
      new ImprintError('disk-ambiguous', {
        machine,
        count: tied.length,
        disks: tied.map(describeDisk).join('; '),
        example: tied[0] === undefined ? 'RULE' : ruleFor(tied[0], disks),
      }),
    );
  }
  if (chosen.length < count.least) {
    if (chosen.length === 0) return refused(noDisk(question, rejected));
    const found = `only ${chosen.map(describeDisk).join('; ')} of the ${count.least} that it needs`;
    return refused(new ImprintError('disk-none', { machine, reasons: [found, ...rejected].join(', ') }));
  }
  for (const disk of chosen) {
    if (disk.inUse.length > 0) {
      return refused(new ImprintError('disk-in-use', { disk: disk.path, machine, use: disk.inUse.join('; ') }));
    }
    if (disk.size < question.needed(disk)) return refused(tooSmall(question, disk));
  }
  return { kind: 'disks', disks: [...chosen] };
}

/** Why a disk is no candidate, undefined where it is one. */
function whyNot(disk: DiskFacts, rule: DiskRule): string | undefined {
  const missed = rule.conditions.find((condition) => !condition.matches(disk));
  if (missed !== undefined) return `is not ${missed.text}`;
  if (disk.readOnly) return 'is read-only';
  const named = rule.conditions.some((condition) => condition.names);
  const asked = named || rule.conditions.some((condition) => condition.text.startsWith('transport'));
  if (disk.removable && !asked) return 'is removable';
  if (disk.size < tinyDisk && !named) return `is tiny (${formatBytes(disk.size)})`;
  return undefined;
}

/** Those that the rule takes; where it could as well take others, all that it cannot tell apart. */
function narrow(
  candidates: readonly DiskFacts[],
  rule: DiskRule,
  most: number,
): { chosen: readonly DiskFacts[]; tied: readonly DiskFacts[] } {
  if (candidates.length <= most && (rule.choice === 'only' || candidates.length <= 1))
    return { chosen: candidates, tied: [] };
  // The facts come in the order of paths.
  if (rule.choice === 'first') return { chosen: candidates.slice(0, most), tied: [] };
  if (rule.choice === 'only') return { chosen: [], tied: candidates };
  const sign = rule.choice === 'smallest' ? 1 : -1;
  const sorted = [...candidates].sort((left, right) => sign * (left.size - right.size));
  const last = sorted[most - 1]?.size;
  if (sorted.length <= most || sorted[most]?.size !== last) return { chosen: sorted.slice(0, most), tied: [] };
  return { chosen: [], tied: sorted.filter(({ size }) => size === last) };
}

function noDisk(question: DiskQuestion, rejected: readonly string[]): ImprintError {
  const { machine, disks } = question;
  const fixed = disks.filter((disk) => !disk.removable && !disk.readOnly);
  const [only] = fixed;
  // One disk, and that a tiny one: its size is what the user must hear of.
  if (question.rule === undefined && fixed.length === 1 && only !== undefined) return tooSmall(question, only);
  const reasons = disks.length === 0 ? 'it has no disk' : rejected.join(', ');
  return new ImprintError('disk-none', { machine, reasons });
}

function tooSmall(question: DiskQuestion, disk: DiskFacts): ImprintError {
  const needed = question.needed(disk);
  return new ImprintError('disk-too-small', {
    disk: disk.path,
    machine: question.machine,
    size: formatBytes(disk.size),
    reference: question.reference,
    // A tiny disk is refused for being one, whatever the image needs.
    needed: formatBytes(disk.size < needed ? needed : tinyDisk),
  });
}

function refused(error: ImprintError): { kind: 'refused'; error: ImprintError } {
  return { kind: 'refused', error };
}
