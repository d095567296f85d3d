import { randomBytes } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { type RawPath, rawPath } from '../../../foundation/brand.ts';
import { formatBytes } from '../../../foundation/bytes.ts';
import { ImprintError, toImprintError } from '../../../foundation/errors.ts';
import type { Task } from '../../../foundation/task.ts';
import { agentPaths } from '../../../machine/installed-layout.ts';
import { pathAreas } from '../../../machine/own-paths.ts';
import { entriesOfBase } from './base-entries.ts';
import { compareRoot } from './compare-root.ts';
import type { InPlacePlan, InPlaceRequest } from './in-place-plan.ts';
import { lockedPath, lockedProblem } from './locked-paths.ts';
import { mergePlanned } from './merge-planned.ts';
import { installHint, isMountedProblem, otherFileSystemProblem } from './other-file-systems.ts';
import { PlanBuilder } from './plan-builder.ts';

/** Room that is left on the root file system beside what is written. */
const margin = 64 << 20;
/** What says which version it is changes with every update. */
const statePaths = ['version.json', 'manifest', 'configuration'].map(
  (name) => `${agentPaths.state}/${name}` as RawPath,
);
/** Of the file system itself, for each name: an inode, directory blocks. */
const perName = 1024;

/**
 * What has to be done so that the running root becomes a version: two manifests and the tree, side by side, in one pass. Writes nothing. A plan
 * with `problems` cannot be done; `requireFeasible` says so as an error.
 *
 * Errors: `input-invalid` (a glob), `corrupt-manifest`, `chunk-missing`, `store-unreachable`, `io-failed`, `interrupted`.
 */
export async function planInPlace(request: InPlaceRequest, task: Task): Promise<InPlacePlan> {
  const { content, base, drift: mode } = request;
  try {
    const root = rawPath(base.root);
    const builder = new PlanBuilder(root, mode);
    const areas = areasOf(request.keep ?? []);
    const sides = { before: () => entriesOfBase(base), after: () => content.entries() };
    const compared = compareRoot({ root, areas, ...sides, signal: task.signal }, (linked) => builder.setLinked(linked));
    for await (const path of compared) builder.add(path);
    const plan: InPlacePlan = {
      id: `${content.digest.slice('sha256:'.length, 'sha256:'.length + 12)}-${randomBytes(3).toString('hex')}`,
      root,
      reference: `${content.record.image}:${content.record.number}`,
      from: base.digest,
      to: content.digest,
      mode,
      ...builder.finish(),
    };
    await mergePlanned(plan, request, builder.merges, task);
    const apart = otherFileSystemProblem(base.root);
    if (apart !== undefined) plan.problems.unshift(apart);
    const problem = spaceProblem(plan, base.root);
    if (problem !== undefined) plan.problems.push(problem);
    // Found here, for nobody could end the update once it is decided.
    const locked = lockedPath(root.replace(/\/+$/, ''), [...plan.paths.map(({ path }) => path), ...statePaths]);
    if (locked !== undefined) plan.problems.push(lockedProblem(locked));
    return plan;
  } catch (error) {
    throw toImprintError(error);
  }
}

/** Throws `in-place-unfit` where a plan cannot be done. */
export function requireFeasible({ reference, problems }: InPlacePlan): void {
  const [problem, ...others] = problems;
  if (problem === undefined) return;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  const hint = isMountedProblem(problem)
    ? installHint
    : 'Put that right, then try again. All that would be done: imprint update --in-place --dry-run';
  throw new ImprintError('in-place-unfit', { reference, problem: `${problem}${more}`, hint });
}

/** Whose paths are, with people's own globs. Throws `input-invalid`. */
function areasOf(keep: readonly string[]): ReturnType<typeof pathAreas> {
  try {
    return pathAreas(keep);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ImprintError('input-invalid', { field: 'keep', problem: error.message }, { cause: error });
  }
}

function spaceProblem({ counts, paths }: InPlacePlan, root: string): string | undefined {
  const { bavail, bsize } = statfsSync(root);
  const free = bavail * bsize;
  const needed = counts.bytes + paths.length * perName + margin;
  if (needed <= free) return undefined;
  return `it needs ${formatBytes(needed)} on ${root}, and ${formatBytes(free)} are free`;
}
