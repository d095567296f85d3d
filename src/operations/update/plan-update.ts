import type { UpdatePlan } from '../../contract/update.ts';
import { type ImprintError, toImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { entryId } from '../../machine/installed-layout.ts';
import { diffVersions } from '../diff-versions.ts';
import { expectSlotRoom } from './expect-room.ts';
import { planFetch } from './plan-fetch.ts';
import { previewInPlace } from './preview-in-place.ts';
import { planRestart } from './restart-into.ts';
import { requireStateDirectory } from './save-object.ts';
import { fetchRequest, slotFor } from './update-slot.ts';
import { isInPlace, type UpdateWork } from './update-work.ts';

/** What an update would fetch and do, and why it would be refused. Nothing is changed; two manifests are read. */
export async function planUpdate(work: UpdateWork): Promise<UpdatePlan> {
  const { machine, view, request, reference, digest, task } = work;
  const { running } = view;
  const inPlace = isInPlace(work);
  const problems: string[] = [];
  const problem = (thrown: unknown) => {
    const { message }: ImprintError = toImprintError(thrown);
    problems.push(message);
  };
  let slot = running?.slot ?? 'root';
  try {
    if (!inPlace) {
      slot = slotFor(work);
      await expectSlotRoom(work, slot);
      await requireStateDirectory(machine.settings);
    }
  } catch (thrown) {
    problem(thrown);
  }
  const difference = await task.part('compare the versions', (part) => compare(work, part));
  const fetch = await task
    .part('see what is missing', (part) => planFetch(fetchRequest(work, part)))
    .catch((thrown) => {
      task.signal.throwIfAborted();
      problem(thrown);
      return undefined;
    });
  const preview =
    inPlace && work.base !== undefined
      ? await previewInPlace({ ...work, base: work.base }, task).catch((thrown) => {
          task.signal.throwIfAborted();
          problem(thrown);
          return undefined;
        })
      : undefined;
  if (inPlace && work.base === undefined) problems.push('it is not known which version runs');
  const reasons = inPlace ? (preview?.reasons ?? []) : [`${reference} lies in the slot ${slot}`];
  const asked = request.options.reboot ?? machine.settings.reboot;
  const { kernel: kernelVersion = '', kernelFileChanged = false } = preview ?? {};
  const choice = await planRestart(machine, { asked, inPlace, reasons, kernelVersion, kernelFileChanged });
  return {
    ...(running && { from: { reference: running.reference, digest: running.digest } }),
    to: { reference, digest },
    way: inPlace ? 'in-place' : view.layout.layout === 'files' ? 'file' : 'partition',
    slot,
    entry: entryId(slot, digest),
    ...difference,
    ...(fetch === undefined ? {} : { fetch: { bytes: fetch.bytes, requests: fetch.requests } }),
    ...(machine.rules && { rules: machine.rules.filter(({ kind }) => kind === (inPlace ? 'keep' : 'carry')) }),
    reboot: { method: choice.method, reasons: [...reasons, ...choice.remarks] },
    ...(preview && { files: preview.files, drift: preview.drift, services: preview.services }),
    problems: [...problems, ...(preview?.problems ?? [])],
  };
}

/** Undefined where the version that runs is unknown, or the store has it no longer. */
async function compare(
  { source, base, digest }: UpdateWork,
  task: Task,
): Promise<Pick<UpdatePlan, 'files' | 'packages'> | undefined> {
  if (base === undefined) return undefined;
  const diff = await diffVersions(
    { store: async () => source.store },
    { from: base.digest, to: digest, times: false },
    task,
  ).catch((thrown) => {
    task.signal.throwIfAborted();
    task.log(`the versions cannot be compared: ${toImprintError(thrown).message}`);
    return undefined;
  });
  if (diff === undefined) return undefined;
  const count = (...kinds: string[]) => diff.changes.filter(({ kind }) => kinds.includes(kind)).length;
  return {
    files: { added: count('added'), changed: count('changed', 'moved'), removed: count('removed') },
    packages: diff.packages.map(({ name, before, after }) => ({
      name,
      ...(before === undefined ? {} : { from: before }),
      ...(after === undefined ? {} : { to: after }),
    })),
  };
}
