import { rm } from 'node:fs/promises';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { BootEntry } from '../../machine/boot-pointer.ts';
import { machineKernelOptions } from '../../machine/entry-options.ts';
import { readImageContent } from '../../machine/image-content.ts';
import { journalOfEntry } from '../../machine/in-place-journal.ts';
import { keptMountGlobs } from '../../machine/own-paths.ts';
import { withoutTrial } from '../../machine/trial.ts';
import type { BootPartition } from '../../system/boot-partition.ts';
import { holdPackageLocks } from '../../system/package-locks.ts';
import { restartServices } from '../../system/running-services.ts';
import { conflictWarnings } from './drift.ts';
import { fetchUpdate } from './fetch-update.ts';
import { failedUnits } from './health-checks.ts';
import { applyOrUndo, finishInPlace, undoInPlace } from './in-place/apply-in-place.ts';
import { decideInPlace, retireInPlace, sayWhatRuns } from './in-place/decide-in-place.ts';
import { type InPlaceEffects, inPlaceEffects } from './in-place/in-place-effects.ts';
import { backEntry, forwardEntry, type InPlaceEntry } from './in-place/in-place-entries.ts';
import type { InPlacePlan } from './in-place/in-place-plan.ts';
import { bringToEntry, isAsEntry } from './in-place/match-entry.ts';
import { requireOneFileSystem } from './in-place/other-file-systems.ts';
import { planInPlace, requireFeasible } from './in-place/plan-in-place.ts';
import type { UpdatePaths } from './in-place/root-paths.ts';
import { stageInPlace } from './in-place/stage-in-place.ts';
import { requireFit } from './preflight.ts';
import { proveHealth } from './prove-health.ts';
import { planRestart } from './restart-into.ts';
import { commitEntry } from './settle-boot.ts';
import { readSlotVersion, type SlotVersion } from './slot-version.ts';
import { openBoot, type ThisMachine, trialSeconds, viewMachine } from './this-machine.ts';
import type { UpdateContent } from './update-content.ts';
import { fetchPlace, fetchRequest, noteUpdate } from './update-slot.ts';
import type { DoneUpdate, UpdateWork } from './update-work.ts';

/** What an update in place has come to. */
interface InPlaceWork extends UpdateWork {
  base: SlotVersion;
  running: BootEntry;
  content: UpdateContent;
  plan: InPlacePlan;
  warnings: string[];
  /** Units that had failed before it. */
  before: string[];
}

/** How long an update waits for a package manager, in milliseconds. */
const packagePatience = 600_000;

/**
 * Updates the root that runs (docs/update.md): all of it is laid ready and on the disk, the boot menu gets the old kernel with the way back and the new one
 * with the way forth, the pointer decides, and only then the files change places. Where nothing has to restart, the new version is proven at once.
 */
export async function updateInPlace(asked: UpdateWork): Promise<DoneUpdate> {
  const work = await withoutPending(asked);
  const { machine, view, base, reference, task } = work;
  const { running } = view;
  if (base === undefined || running === undefined) {
    const problem = 'it is not known which version runs, so its files cannot be told from the machine’s own';
    throw new ImprintError('in-place-unfit', { reference, problem, hint: 'Update into another slot.' });
  }
  if (running.id !== view.pointer.good) {
    // A revert that waits for its restart, or a choice in the boot menu.
    const problem = `${running.reference} runs, but another entry boots next`;
    throw new ImprintError('in-place-unfit', { reference, problem, hint: 'Restart, or run imprint commit first.' });
  }
  const { root, processes, clock } = machine;
  requireOneFileSystem(root, reference);
  await using content = await task.part('fetch what is missing', (part) => fetchUpdate(fetchRequest(work, part)));
  // What they change between the look at a file and its change would be of neither version.
  using _packages = await holdPackageLocks(root, {
    ...{ clock, patience: packagePatience, signal: task.signal },
    waiting: () => task.log('a package manager works; the update goes on when it has ended'),
  });
  await task.part('see whether it would come up here', (part) =>
    requireFit({ content, reference, layout: view.layout, slot: running.slot, processes }, part),
  );
  const plan = await planChanges({ ...work, base }, content);
  requireFeasible(plan);
  const warnings = [...plan.warnings, ...conflictWarnings(plan.drift)];
  for (const warning of warnings) task.warn(warning);
  const before = await failedUnits(processes, task.signal);
  await task.part('make room', () => retire(machine, running.slot));
  const paths = await task.part('lay it ready', (part) => stageInPlace(plan, content, part));
  const all: InPlaceWork = { ...work, base, running, content, plan, warnings, before };
  const entry = await task.part('write the boot entries', (part) => decide({ ...all, task: part }, paths));
  // Before the files change places: what is mapped now is what is used.
  const effects = await inPlaceEffects(plan, kernelChange(running, entry));
  await task.part('change the files', (part) => apply(machine, plan.id, part));
  await forgetOlder(machine);
  await rm(fetchPlace(machine, view), { recursive: true, force: true });
  return await finish(all, entry, effects);
}

/**
 * An update in place that waits for its restart has changed the root already: that is taken back first. Else the way back from this one would lead to
 * the kernel that runs and the root of a version that never did.
 */
async function withoutPending(work: UpdateWork): Promise<UpdateWork> {
  const { machine, view, task } = work;
  const { running, pointer } = view;
  if (running === undefined || isAsEntry(machine.root, running)) return work;
  await using boot = await openBoot(machine);
  if (pointer.trial !== undefined) await boot.writePointer(withoutTrial(pointer));
  await task.part('take back what waits for a restart', async () => bringToEntry(machine.root, running));
  const base = await readSlotVersion(machine.root);
  return { ...work, view: await viewMachine(machine, boot), base };
}

/** What would change; nothing is written. */
export function planChanges(
  { machine, view, base, request, task }: UpdateWork & { base: SlotVersion },
  content: UpdateContent,
): Promise<InPlacePlan> {
  const { root, settings } = machine;
  const { digest, manifestFile } = base;
  return task.part('compare with what runs', (part) =>
    planInPlace(
      {
        content,
        base: { digest, manifestFile, root },
        drift: request.options.drift ?? settings.drift,
        keep: [...keptMountGlobs(view.layout), ...settings.keep],
      },
      part,
    ),
  );
}

/** The files change places; where that cannot be ended, the pointer goes back, and then they do. */
async function apply(machine: ThisMachine, id: string, task: Task): Promise<void> {
  await applyOrUndo(machine.root, id, {
    goBack: async () => {
      await using boot = await openBoot(machine);
      const { pointer } = await viewMachine(machine, boot);
      await boot.writePointer(withoutTrial(pointer));
    },
    warn: (message) => task.warn(message),
  });
}

/** What earlier updates in place left: their ways back go first, then what those need. */
async function retire(machine: ThisMachine, slot: string): Promise<void> {
  await using boot = await openBoot(machine);
  const { pointer } = await viewMachine(machine, boot);
  await retireInPlace(
    boot,
    pointer.trial === undefined ? pointer : await boot.writePointer(withoutTrial(pointer)),
    slot,
  );
  await forgetUnnamed(machine, boot);
}

/** The update by which the version before came here: its way back is gone, and what it kept for that holds nothing but room. */
async function forgetOlder(machine: ThisMachine): Promise<void> {
  await using boot = await openBoot(machine, { readOnly: true });
  await forgetUnnamed(machine, boot);
}

/** Updates in place that no entry of the boot menu names any more. */
async function forgetUnnamed({ root }: ThisMachine, boot: BootPartition): Promise<void> {
  const entries = await boot.entries();
  const named = entries.map(({ kernelOptions }) => journalOfEntry(kernelOptions)?.id).filter((id) => id !== undefined);
  finishInPlace(root, new Set(named));
}

/** The entries for the way back and the way forth, and the record that has the new version tried. Returns the new entry. */
async function decide(work: InPlaceWork, paths: UpdatePaths): Promise<BootEntry> {
  const { machine, running, base, content, request, before, view, task } = work;
  const { processes, clock, root, settings } = machine;
  const forward: InPlaceEntry = await forwardEntry(
    {
      ...{ content, paths, root, layout: view.layout, running, processes, clock, trialSeconds: trialSeconds(machine) },
      image: await readImageContent(content.entries()),
      kernelOptions: machineKernelOptions(running.kernelOptions, base.record.source.kernelOptions),
    },
    task,
  );
  task.signal.throwIfAborted();
  await using boot = await openBoot(machine);
  await noteUpdate(work, boot, forward.entry.id, before);
  const { pointer } = await viewMachine(machine, boot);
  const tries = request.options.tries ?? settings.tries;
  await decideInPlace(boot, pointer, { back: backEntry(running, paths, clock), running, forward, tries }, task);
  return forward.entry;
}

/** The kernel that runs is the one of the entry that runs. */
function kernelChange(running: BootEntry, entry: BootEntry) {
  const fileChanged = ['vmlinuz', 'initrd'].some((name) => running.files[name] !== entry.files[name]);
  return { running: running.kernelVersion, next: entry.kernelVersion, fileChanged };
}

async function finish(work: InPlaceWork, entry: BootEntry, effects: InPlaceEffects): Promise<DoneUpdate> {
  const { machine, running, warnings, content, request, reference, digest, task } = work;
  const { reasons, services } = effects;
  const asked = request.options.reboot ?? machine.settings.reboot;
  const kernelFileChanged = kernelChange(running, entry).fileChanged;
  const wish = { asked, inPlace: true, reasons, kernelVersion: entry.kernelVersion, kernelFileChanged };
  const choice = await planRestart(machine, wish);
  for (const remark of choice.remarks) task.warn(remark);
  const changed = [...services.restart, ...services.afterReboot];
  if (reasons.length === 0) {
    const restarted = request.options.restartServices ? services.restart : [];
    await restartChanged(work, restarted);
    await prove(work, entry, restarted);
  }
  return {
    choice,
    result: {
      kind: reasons.length === 0 ? 'done' : 'staged',
      from: { reference: running.reference, digest: running.digest },
      to: { reference, digest },
      ...{ slot: entry.slot, entry: entry.id },
      fetched: { ...content.transferred },
      reboot: { method: choice.method, reasons },
      services: changed,
      warnings: [...warnings, ...choice.remarks],
    },
  };
}

async function restartChanged(
  { machine, task }: InPlaceWork,
  units: readonly string[],
  options: { stopped?: boolean } = {},
): Promise<void> {
  if (units.length === 0) return;
  const failed = await task.part('restart services', () => restartServices(machine.processes, units, options));
  for (const problem of failed) task.warn(problem);
}

/** Nothing has to restart: what runs is the new version, and proves it now; else the old one is back, and runs in its services, before this rejects. */
async function prove(work: InPlaceWork, entry: BootEntry, restarted: readonly string[]): Promise<void> {
  const { machine, plan, before, reference, task } = work;
  const { clock, root } = machine;
  const health = await task.part('look whether it is healthy', (part) =>
    proveHealth(machine, { failedBefore: before, signal: part.signal, since: clock.now() }),
  );
  await using boot = await openBoot(machine);
  if (health.problems.length === 0) {
    const { pointer, layout } = await commitEntry(machine, boot, entry.id);
    return await sayWhatRuns({ entry: entry.id, sequence: pointer.sequence, boot: layout.boot });
  }
  const reason = health.problems.join('; ');
  const { pointer } = await viewMachine(machine, boot);
  const time = new Date(clock.now()).toISOString();
  await boot.writeFailure({ sequence: pointer.sequence, entry: entry.id, reason, time });
  await boot.writePointer(withoutTrial(pointer));
  undoInPlace(root, plan.id);
  // All of them ran before.
  await restartChanged(work, restarted, { stopped: true });
  throw new ImprintError('trial-failed', { reference, reason });
}
