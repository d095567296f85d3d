import type { z } from 'zod';
import type { Machine } from '../contract/machine.ts';
import type { imageRemove } from '../contract/operations/images.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { StoredVersion } from '../store/store.ts';
import { changeStore } from './change-store.ts';
import type { Context } from './context.ts';
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
    const chosen = new Map<string, StoredVersion>();
    for (const reference of input.references) {
      const version = await store.find(reference);
      chosen.set(nameOf(version), version);
    }
    const machines = await knownMachines(context);
    if (!input.force) for (const version of chosen.values()) refuseIfUsed(version, machines);
    const names = [...chosen.keys()];
    if (input.dryRun) return { removed: names, packsDeleted: 0, bytesFreed: 0, bytesWaiting: 0, bytesUnreferenced: 0 };
    task.signal.throwIfAborted();
    const { removed: _, ...report } = await store.remove(names);
    return { removed: names, ...report };
  });
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
