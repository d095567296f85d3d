import type { DiskFacts } from '../contract/machine.ts';
import { formatBytes } from '../foundation/bytes.ts';
import { ImprintError } from '../foundation/errors.ts';
import { type DiskRule, describeDisk, parseDiskRule, ruleFor } from './disk-rule.ts';

/** Smaller than this, a disk is no system disk (a boot ROM, a management controller's stick) unless a rule names it. */
export const tinyDisk = 1024 ** 3;

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

export type DiskAnswer = { kind: 'disk'; disk: DiskFacts } | { kind: 'refused'; error: ImprintError };

/**
 * Which disk may be written: exactly one, or none. Without a rule a machine must have exactly one fixed, writable disk; a second
 * one makes it ambiguous, also where it is too small or in use, as it may be the one that was meant. Removable and tiny
 * disks count only where a rule names them by path, serial or WWN (removable ones also by transport); read-only ones never.
 *
 * Refusals: `disk-none`, `disk-ambiguous`, `disk-too-small`, `disk-in-use`, `input-invalid` (the rule itself).
 */
export function chooseDisk(question: DiskQuestion): DiskAnswer {
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
    else rejected.push(`${disk.path} ${reason}`);
  }
  const [chosen, ...others] = narrow(candidates, rule);
  if (chosen === undefined) return refused(noDisk(question, rejected));
  if (others.length > 0) {
    const left = [chosen, ...others];
    return refused(
      new ImprintError('disk-ambiguous', {
        machine,
        count: left.length,
        disks: left.map(describeDisk).join('; '),
        example: ruleFor(chosen, disks),
      }),
    );
  }
  if (chosen.inUse.length > 0) {
    return refused(new ImprintError('disk-in-use', { disk: chosen.path, machine, use: chosen.inUse.join('; ') }));
  }
  if (chosen.size < question.needed(chosen)) return refused(tooSmall(question, chosen));
  return { kind: 'disk', disk: chosen };
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

function narrow(candidates: readonly DiskFacts[], rule: DiskRule): readonly DiskFacts[] {
  if (candidates.length === 0 || rule.choice === 'only') return candidates;
  // The facts come in the order of paths.
  if (rule.choice === 'first') return candidates.slice(0, 1);
  const sizes = candidates.map((disk) => disk.size);
  const wanted = rule.choice === 'smallest' ? Math.min(...sizes) : Math.max(...sizes);
  return candidates.filter((disk) => disk.size === wanted);
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

function refused(error: ImprintError): DiskAnswer {
  return { kind: 'refused', error };
}
