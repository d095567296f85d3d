import type { z } from 'zod';
import type { Machine } from '../contract/machine.ts';
import type { imageRemove } from '../contract/operations/images.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import { parseReference } from '../image/reference.ts';
import type { StoredVersion } from '../store/store.ts';
import { changeStore } from './change-store.ts';
import type { Context } from './context.ts';
import { leftAlone } from './live/built-versions.ts';
import { knownMachines, machinesWith } from './version-users.ts';

/**
 * Removes versions, all or none: each is resolved, and checked to be in nobody's use, before the first goes. A version is
 * in use where it carries a tag, or where a machine has it on its disk, has an order for it, or is set to exactly it.
 */
export async function removeVersions(
  context: Context,
  input: z.output<typeof imageRemove.input>,
  task: Task,
): Promise<z.output<typeof imageRemove.output>> {
  return changeStore(context, async (store) => {
    const chosen = new Map<string, StoredVersion | undefined>();
    for (const reference of input.references) {
      try {
        const version = await store.find(reference);
        chosen.set(nameOf(version), version);
      } catch (error) {
        if (!input.force || !isDamaged(error, reference)) throw error;
        chosen.set(reference, undefined);
      }
    }
    const machines = await knownMachines(context);
    if (!input.force) for (const version of chosen.values()) if (version !== undefined) refuseIfUsed(version, machines);
    const names = [...chosen.keys()];
    // Where a record of the store is damaged, they go with a later removal.
    names.push(...leftAlone(await store.versions().catch(() => []), names));
    if (input.dryRun) return { removed: names, packsDeleted: 0, bytesFreed: 0, bytesWaiting: 0, bytesUnreferenced: 0 };
    task.signal.throwIfAborted();
    const { removed: _, ...report } = await store.remove(names, { grace: 0, damaged: input.force });
    return { removed: names, ...report };
  });
}

/** Whether a version cannot be found because its record is lost or damaged: it can still be removed, by its number. */
function isDamaged(error: unknown, reference: string): boolean {
  const code = error instanceof ImprintError ? error.code : undefined;
  return (code === 'corrupt-record' || code === 'image-not-found') && parseReference(reference).kind === 'number';
}

function nameOf({ record }: StoredVersion): string {
  return `${record.image}:${record.number}`;
}

function refuseIfUsed(version: StoredVersion, machines: readonly Machine[]): void {
  const { tags } = version;
  const reference = nameOf(version);
  if (tags.length > 0) throw new ImprintError('version-in-use', { reference, use: `it is tagged ${tags.join(', ')}` });
  const names = machinesWith(version, machines);
  if (names.length === 0) return;
  const use = names.length > 5 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ');
  throw new ImprintError('version-in-use', { reference, use: `${use} ${names.length === 1 ? 'has' : 'have'} it` });
}
