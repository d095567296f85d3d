import type { z } from 'zod';
import type { installOrder, PlacedOrder } from '../contract/operations/installs.ts';
import { ImprintError } from '../foundation/errors.ts';
import { isBusy, nextMachine } from '../machine/machine-state.ts';
import { scriptReader } from './change-scripts.ts';
import { changing } from './changing.ts';
import type { Context } from './context.ts';
import { endTask } from './end-task.ts';
import { findMachines } from './find-machines.ts';
import { placeOrder } from './renew-order.ts';
import { type InstallableVersion, resolveInstallable } from './resolve-installable.ts';
import { keepPassphrase } from './server-passphrases.ts';
import { scriptsFor } from './server-scripts.ts';
import { changeOptions } from './set-machines.ts';

type Input = z.output<typeof installOrder.input>;

/**
 * Orders one install of each machine, all of them or none. The image is resolved now: what is installed is the version
 * that the reference names at this moment. An order that stands and has not begun is replaced.
 */
export async function orderInstall(context: Context, input: Input): Promise<z.input<typeof installOrder.output>> {
  const chosen = await findMachines((await context.database()).machines, input.machines);
  const versions = new Map<string, InstallableVersion>();
  for (const machine of chosen) {
    if (!machine.approved) throw new ImprintError('machine-not-approved', { machine: machine.name });
    const reference = input.image ?? machine.image;
    if (reference === undefined) {
      const problem = `${machine.name} has no image; say which one to install`;
      throw new ImprintError('input-invalid', { field: 'image', problem });
    }
    const version = versions.get(reference) ?? (await resolveInstallable(context, reference));
    versions.set(reference, version);
    // One that cannot run is told now, not when the machine asks. Those that it gets are the ones of that moment.
    await scriptsFor(context.paths, scriptReader(machine, version.image));
  }
  return changing(context, async (change) => {
    const orders: PlacedOrder[] = [];
    for (const found of await findMachines(change.machines, input.machines)) {
      if (!found.approved) throw new ImprintError('machine-not-approved', { machine: found.name });
      if (isBusy(found)) {
        throw new ImprintError('machine-busy', {
          machine: found.name,
          task: `${found.order?.image} is being installed on it`,
        });
      }
      const reference = input.image ?? found.image;
      const version = reference === undefined ? undefined : versions.get(reference);
      if (reference === undefined || version === undefined) {
        throw new ImprintError('machine-conflict', { problem: `${found.name} was changed meanwhile; try again.` });
      }
      for (const id of [found.order?.id, found.update?.id]) {
        if (id !== undefined) await endTask(change, id, new ImprintError('interrupted', {}).toValue());
      }
      const set = nextMachine(found, { kind: 'image-set', image: reference });
      const ready = { ...set, options: changeOptions(set.options, input.options) };
      const machine = await placeOrder(change, ready, version);
      await keepPassphrase(context.paths, machine.name, input.passphrase);
      await change.save(machine.name, machine);
      const id = machine.order?.id ?? '';
      orders.push({ id, machine: machine.name, image: version.image, digest: version.digest });
    }
    return { orders };
  });
}
