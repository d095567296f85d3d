import type { z } from 'zod';
import type { machineCommit } from '../../contract/operations/updates.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { checkHealth } from './health-checks.ts';
import { bringToEntry } from './in-place/match-entry.ts';
import { commitEntry, isUnsettled, settleBoot } from './settle-boot.ts';
import { lookAtMachine, openBoot, type ThisMachine } from './this-machine.ts';
import { lockUpdate } from './update-lock.ts';

/**
 * `imprint commit`: makes the version that runs the one that boots from now on. Errors: `machine-unmanaged`, `update-running`, `trial-failed` where
 * it is not healthy, unless that is not to be looked at.
 */
export async function commitMachine(
  machine: ThisMachine,
  { force = false }: z.output<typeof machineCommit.input>,
  task: Task,
): Promise<z.input<typeof machineCommit.output>> {
  await using _lock = await lockUpdate('a commit');
  const seen = await lookAtMachine(machine);
  const { running, situation, note, pointer } = isUnsettled(seen) ? await settleBoot(machine) : seen;
  if (running === undefined) {
    const problem =
      situation.kind === 'dropped'
        ? 'the image file that was dropped is committed when it has proved healthy'
        : 'the entry that runs is no longer there';
    throw new ImprintError('machine-unmanaged', { problem });
  }
  const { processes, settings, root } = machine;
  const checks: string[] = [];
  if (!force) {
    const health = await task.part('look whether it is healthy', () =>
      checkHealth({
        ...{ processes, root, signal: task.signal, settings: settings.health },
        failedBefore: note?.failedUnits ?? [],
        ...(settings.server === undefined ? {} : { serverReached: () => serverAnswers(settings.server ?? '') }),
      }),
    );
    checks.push(...health.passed);
    if (health.problems.length > 0) {
      throw new ImprintError('trial-failed', { reference: running.reference, reason: health.problems.join('; ') });
    }
  }
  task.signal.throwIfAborted();
  await using boot = await openBoot(machine);
  await commitEntry(machine, boot, running.id);
  // An update in place that waited for its restart has changed the root already.
  bringToEntry(root, running);
  return { entry: running.id, reference: running.reference, was: pointer.good, checks };
}

async function serverAnswers(server: string): Promise<boolean> {
  const url = `${server.replace(/\/+$/, '')}/store/imprint-store.json`;
  const signal = AbortSignal.timeout(10_000);
  return fetch(url, { method: 'HEAD', signal }).then(
    () => true,
    () => false,
  );
}
