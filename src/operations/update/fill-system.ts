import { rm } from 'node:fs/promises';
import type { z } from 'zod';
import type { slotFill } from '../../contract/operations/updates.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { namedSystem, recordOf } from '../../machine/boot-systems.ts';
import { chooseSpare } from '../../planning/choose-slot.ts';
import type { AgentProgram } from '../install/write-agent.ts';
import { expectSlotRoom } from './expect-room.ts';
import { fetchUpdate } from './fetch-update.ts';
import { requireFit } from './preflight.ts';
import { requireStateDirectory } from './save-object.ts';
import { openBoot, type ThisMachine, viewMachine } from './this-machine.ts';
import { lockUpdate } from './update-lock.ts';
import { beginUpdate } from './update-machine.ts';
import { clearSlot, fetchPlace, fetchRequest, fill } from './update-slot.ts';
import type { UpdateWork } from './update-work.ts';

export interface FillSystemRequest extends z.output<typeof slotFill.input> {
  /** `--store` and `--trust`. */
  store?: string;
  trust?: string;
  /** The agent that goes into the slot; absent: none. */
  agent?: AgentProgram;
}

type Filled = Exclude<z.output<typeof slotFill.output>, { dryRun: true }>;

/**
 * Puts any image into a system partition that nothing needs, while the machine works, and offers it in the boot menu. What starts by itself, what waits to be
 * tried, and what else lies there stay as they are: an image that is there already becomes another version of that system, which is proven by
 * starting it; any other becomes a system of its own. Errors: those of `updateMachine`; `slot-unfit` where no slot is free.
 */
export async function fillSystem(machine: ThisMachine, request: FillSystemRequest, task: Task): Promise<Filled> {
  await using _lock = await lockUpdate('a slot is filled');
  await using work = await beginUpdate(machine, updateRequest(request), task);
  const { view, reference, digest } = work;
  const { slot, system } = placeFor(work);
  await expectSlotRoom(work, slot);
  await requireStateDirectory(machine.settings);
  await using content = await task.part('fetch what is missing', (part) => fetchUpdate(fetchRequest(work, part)));
  await task.part('see whether it would come up here', (part) =>
    requireFit({ content, reference, layout: view.layout, slot, processes: machine.processes }, part),
  );
  await task.part('make room', () => clearSlot(machine, slot, digest, { trial: 'stays' }));
  const filled = await task.part(`fill the slot ${slot}`, (part) =>
    fill({ ...work, task: part }, slot, content, { system, leaves: false }),
  );
  await task.part('write the boot entry', async () => {
    task.signal.throwIfAborted();
    await using boot = await openBoot(machine);
    // Which of its versions is good is known now, and must not become this one, which is newer.
    const { systems } = await viewMachine(machine, boot);
    if (systems.some((each) => each.system === system && !each.standard))
      await boot.writeSystemRecords(systems.map(recordOf));
    await boot.addEntry(filled.entry, filled.files);
  });
  await rm(fetchPlace(machine, view), { recursive: true, force: true });
  return {
    version: { reference, digest },
    slot,
    entry: filled.entry.id,
    system: namedSystem(view.systems, system)?.name ?? (system || reference),
    fetched: { ...content.transferred },
    warnings: filled.report.warnings,
  };
}

/** Where it would go, and as what; nothing is changed. Errors as `fillSystem`, as far as they can be known. */
export async function planSystem(
  machine: ThisMachine,
  request: FillSystemRequest,
  task: Task,
): Promise<{ slot: string; reference: string }> {
  await using work = await beginUpdate(machine, { ...updateRequest(request), dryRun: true }, task);
  const { slot } = placeFor(work);
  await expectSlotRoom(work, slot);
  return { slot, reference: work.reference };
}

function updateRequest({ image, slot, rate, ...surroundings }: FillSystemRequest) {
  const options = { ...(slot === undefined ? {} : { slot }), ...(rate === undefined ? {} : { rate }) };
  return { ...surroundings, image, options };
}

/** Errors: `slot-unfit`. */
function placeFor({ view, source, request }: UpdateWork): { slot: string; system: string } {
  const { layout, pointer, entries, systems, running } = view;
  if (layout.layout !== 'slots') {
    const problem = 'this machine has no system partitions; install it with --layout multi or slots';
    throw new ImprintError('slot-unfit', { slot: request.options.slot ?? layout.layout, problem });
  }
  const { image } = source.version.record;
  const system = namedSystem(systems, image)?.system ?? image;
  const asked = request.options.slot;
  const choice = chooseSpare({
    ...{ slots: layout.slots, pointer, entries, systems, system, running: running?.slot },
    ...(asked === undefined ? {} : { asked }),
  });
  if (choice.kind === 'slot') return { slot: choice.slot.name, system };
  throw new ImprintError('slot-unfit', { slot: choice.slot, problem: choice.problem });
}
