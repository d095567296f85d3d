import type { ErrorCode } from '../../foundation/error-catalogue.ts';
import { ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { describeStep, type Step } from '../../planning/step.ts';
import { unmountTree } from '../../system/mount.ts';
import { openDiskExclusively } from '../../system/partition.ts';
import { executeStep } from './executors.ts';
import { bootDirectory, copyDirectory, hostDirectory, type InstallContext } from './install-context.ts';
import { releaseStack } from './stack-executors.ts';

export interface InstallHooks {
  /** Called before each step and, with `undefined`, when all are done; what it throws breaks the install off. */
  reached?(step: Step | undefined): void;
  /** Steps of the same install that were done before, by `executeEarly`. */
  before?: number;
}

/**
 * Carries out an install. The journal is the task's events, one part for each step. Whatever happens, nothing stays mounted.
 * After a failure or a cut the disk boots nothing, and the same steps begin again from the first.
 *
 * Errors: `disk-in-use` before anything is written; those of the restore as they are; what a step's tools said as `step-failed`.
 */
export async function executeInstall(
  machine: string,
  steps: readonly Step[],
  context: InstallContext,
  task: Task,
  hooks: InstallHooks = {},
): Promise<void> {
  const { before = 0 } = hooks;
  task.expect(before + steps.length, 'steps');
  if (before > 0) task.advance(before);
  try {
    // What an install before made, that was broken off.
    await releaseStack(context.processes, steps, task);
    await requireDisks(machine, steps);
    for (const step of steps) {
      hooks.reached?.(step);
      // It asks for the disk's exclusive use: nothing that lies on its partitions may be open.
      if (step.kind === 'install-bios-boot') await releaseStack(context.processes, steps, task);
      await executeNamed(machine, step, context, task);
      task.advance(1);
    }
    hooks.reached?.(undefined);
  } finally {
    await context.live?.abandon();
    // The host partition after the image file on it.
    const { target } = context;
    for (const directory of [
      ...(context.live?.handedOver ? [] : [target]),
      copyDirectory(context),
      bootDirectory(context),
      hostDirectory(context),
    ]) {
      await unmountTree(context.processes, directory, context.clock).catch((thrown) => {
        task.warn(`${directory} could not be unmounted: ${toImprintError(thrown).message}`);
      });
    }
    await releaseStack(context.processes, steps, task);
  }
}

/** Does a step that comes before everything that can be planned for sure: it writes to no disk. Errors: as `executeInstall`. */
export async function executeEarly(machine: string, step: Step, context: InstallContext, task: Task): Promise<void> {
  await executeNamed(machine, step, context, task);
}

/** Of several disks none is written while another is in use. */
async function requireDisks(machine: string, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (step.kind !== 'wipe-disk' && step.kind !== 'clear-partitions') continue;
    try {
      await (await openDiskExclusively(step.disk)).close();
    } catch (thrown) {
      const error = toImprintError(thrown);
      // Whatever else is wrong with it is told with the step that finds it.
      if (error.code !== 'disk-in-use') continue;
      const details = { disk: step.disk, machine, use: 'the kernel holds it' };
      throw new ImprintError('disk-in-use', details, { cause: error });
    }
  }
}

/** Errors that say all by themselves, also in the middle of an install; the rest is told with its step. */
const selfExplaining: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'store-unreachable',
  'corrupt-pack',
  'corrupt-manifest',
  'corrupt-record',
  'chunk-missing',
  'interrupted',
  'script-failed',
  'boot-unsaved',
  'live-changes-lost',
]);

async function executeNamed(machine: string, step: Step, context: InstallContext, task: Task): Promise<void> {
  const name = describeStep(step);
  await task.part(name, async (part) => {
    try {
      await executeStep(step, context, part);
    } catch (thrown) {
      const error = toImprintError(thrown);
      if (selfExplaining.has(error.code)) throw error;
      // By then something may have been written, whatever the error itself says.
      const problem = error.code === 'disk-in-use' ? 'the kernel holds the disk' : error.message;
      throw new ImprintError('step-failed', { step: name, machine, problem }, { cause: error });
    }
  });
}
