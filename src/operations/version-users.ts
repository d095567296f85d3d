import { existsSync } from 'node:fs';
import type { Machine } from '../contract/machine.ts';
import type { StoredVersion } from '../store/store.ts';
import type { Context } from './context.ts';

/** The machines that this data directory knows; none where there is no database. */
export async function knownMachines(context: Context): Promise<Machine[]> {
  if (!existsSync(context.paths.databaseFile)) return [];
  return (await context.database()).machines.all();
}

/** Names of the machines that have a version on their disk, have an order for it, or are set to exactly it. */
export function machinesWith({ record }: StoredVersion, machines: readonly Machine[]): string[] {
  const names = [
    `${record.image}:${record.number}`,
    `${record.image}:v${record.number}`,
    `${record.image}@${record.digest}`,
  ];
  return machines
    .filter(
      (machine) =>
        machine.order?.digest === record.digest ||
        machine.update?.digest === record.digest ||
        machine.agent?.previous?.digest === record.digest ||
        machine.installed?.digest === record.digest ||
        names.includes(machine.image ?? ''),
    )
    .map((machine) => machine.name);
}
