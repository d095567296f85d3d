import { parseMacAddress } from '../foundation/brand.ts';
import { hasSystem } from '../machine/machine-state.ts';
import type { BootDecision } from '../netboot/boot-script.ts';
import type { Context } from './context.ts';
import { findByMacs } from './recognise-machine.ts';

/**
 * What a machine that boots from the network is to do: start the imager where it has an order, where nobody knows it, or
 * where nothing of ours is on its disk; else its own disk. A machine that cannot be told apart gets its disk.
 */
export async function decideBoot(
  context: Context,
  macText: string | undefined,
): Promise<{ decision: BootDecision; machine?: string }> {
  const mac = macText === undefined ? undefined : parseMacAddress(macText);
  if (mac === undefined) return { decision: { kind: 'imager' } };
  const found = await findByMacs((await context.database()).machines, [mac]);
  const [machine] = found;
  if (!machine) return { decision: { kind: 'imager' } };
  if (found.length > 1) return { decision: { kind: 'disk' } };
  const resting = hasSystem(machine.state);
  return { decision: { kind: resting && !machine.order ? 'disk' : 'imager' }, machine: machine.name };
}
