import { existsSync } from 'node:fs';
import type { z } from 'zod';
import type { Machine } from '../contract/machine.ts';
import type { imageRemove } from '../contract/operations/images.ts';
import { ImprintError } from '../foundation/errors.ts';
import type { Task } from '../foundation/task.ts';
import type { StoredVersion } from '../store/store.ts';
import { changeStore } from './change-store.ts';
import type { Context } from './context.ts';

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
    const output = { removed: names, packsDeleted: 0, bytesFreed: 0 };
    if (input.dryRun) return output;
    task.expect(names.length, 'items');
    for (const name of names) {
      task.signal.throwIfAborted();
      const report = await store.remove(name);
      output.packsDeleted += report.packsDeleted;
      output.bytesFreed += report.bytesFreed;
      task.advance(1);
    }
    return output;
  });
}

function nameOf({ record }: StoredVersion): string {
  return `${record.image}:${record.number}`;
}

function refuseIfUsed(version: StoredVersion, machines: readonly Machine[]): void {
  const { record, tags } = version;
  const reference = nameOf(version);
  if (tags.length > 0) throw new ImprintError('version-in-use', { reference, use: `it is tagged ${tags.join(', ')}` });
  const users = machines.filter(
    (machine) =>
      machine.order?.digest === record.digest ||
      machine.installed?.digest === record.digest ||
      [reference, `${record.image}:v${record.number}`, `${record.image}@${record.digest}`].includes(
        machine.image ?? '',
      ),
  );
  if (users.length === 0) return;
  const names = users.map((machine) => machine.name);
  const use = names.length > 5 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ');
  throw new ImprintError('version-in-use', { reference, use: `${use} ${names.length === 1 ? 'has' : 'have'} it` });
}

/** The machines that this data directory knows; none where there is no database. */
async function knownMachines(context: Context): Promise<Machine[]> {
  if (!existsSync(context.paths.databaseFile)) return [];
  return (await context.database()).machines.all();
}
