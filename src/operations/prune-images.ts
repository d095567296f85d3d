import type { z } from 'zod';
import type { imagePrune } from '../contract/operations/retention.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { decideRetention } from '../image/retention.ts';
import type { StoredVersion } from '../store/store.ts';
import { changeStore } from './change-store.ts';
import type { Context } from './context.ts';
import { isBuilt, leftAlone } from './live/built-versions.ts';
import { knownMachines, machinesWith } from './version-users.ts';

/**
 * Removes the versions of some images that no rule keeps. Tagged versions, those that a machine has or is to have, and the newest always
 * stay. Their packs are retired: a collection frees them after the grace period.
 */
export async function pruneImages(
  context: Context,
  input: z.output<typeof imagePrune.input>,
  task: Task,
): Promise<z.output<typeof imagePrune.output>> {
  const { images, keep, within, tagged, grace, dryRun, only } = input;
  if (Object.values(keep).every((count) => count === undefined) && within === undefined && !tagged)
    throw new ImprintError('usage', {
      problem: 'No rule says what to keep.',
      hint: 'Give at least one: --keep-last N, --keep-daily N, --keep-within 30d, --keep-tagged …',
    });
  return changeStore(context, async (store) => {
    const all = await store.versions();
    const versions = all.filter((version) => images.includes(version.record.image) || !isBuilt(version));
    const names = images.length > 0 ? images : [...new Set(versions.map(({ record }) => record.image))];
    const machines = await knownMachines(context);
    const decisions = names.flatMap((image) => {
      const own = versions.filter(({ record }) => record.image === image);
      if (own.length === 0) throw new ImprintError('image-not-found', { reference: image, store: store.location });
      const dated = own.map((version) => ({
        number: version.record.number,
        created: Date.parse(version.record.created),
        held: holdersOf(version, machinesWith(version, machines)),
      }));
      return decideRetention(dated, { ...keep, within }, context.clock.now()).map(({ number, reasons }) => {
        const created = own.find(({ record }) => record.number === number)?.record.created ?? '';
        return { reference: `${image}:${number}`, created, reasons };
      });
    });
    const removed = decisions
      .filter(({ reasons, reference }) => reasons.length === 0 && only?.includes(reference) !== false)
      .map(({ reference }) => reference);
    const nothing = { packsDeleted: 0, bytesFreed: 0, bytesWaiting: 0, bytesUnreferenced: 0 };
    removed.push(...leftAlone(all, removed));
    if (dryRun || removed.length === 0) return { versions: decisions, removed, ...nothing };
    task.signal.throwIfAborted();
    const { removed: _, ...report } = await store.remove(removed, { grace });
    return { versions: decisions, removed, ...report };
  });
}

function holdersOf({ tags }: StoredVersion, machines: readonly string[]): string[] {
  const [first, ...others] = machines;
  return [
    ...tags.map((tag) => `tagged ${tag}`),
    ...(first === undefined ? [] : [`on ${first}${others.length > 0 ? ` and ${others.length} more` : ''}`]),
  ];
}
