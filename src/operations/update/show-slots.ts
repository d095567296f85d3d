import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { z } from 'zod';
import type { machineSlots } from '../../contract/operations/updates.ts';
import type { Slot } from '../../contract/update.ts';
import type { BootEntry } from '../../machine/boot-pointer.ts';
import { systemOf } from '../../machine/boot-systems.ts';
import { triesLeft } from '../../machine/decide-boot.ts';
import { unmergedPath } from '../../machine/unmerged-files.ts';
import { replicaProblems } from './boot-replicas.ts';
import { readHostRoom } from './host-room.ts';
import { lookAtMachine, type MachineView, type ThisMachine } from './this-machine.ts';

/** `imprint slots`: what lies in the slots of this machine, and what boots. Errors: `machine-unmanaged`. */
export async function showSlots(machine: ThisMachine): Promise<z.input<typeof machineSlots.output>> {
  const view = await lookAtMachine(machine);
  const { layout, pointer, tries, entries, situation, failure } = view;
  const room = await readHostRoom(machine.root);
  const boots = layout.boots === undefined ? [] : await replicaProblems();
  const full = new Set(entries.map(({ slot }) => slot));
  return {
    layout: layout.layout,
    situation: situation.kind,
    ...(pointer.trial === undefined ? {} : { left: triesLeft(pointer, tries) }),
    slots: entries.map((entry) => showSlot(entry, view)),
    unmerged: await listUnmerged(machine.root),
    empty: layout.slots.map(({ name }) => name).filter((name) => !full.has(name)),
    ...(room === undefined ? {} : { room }),
    ...(failure === undefined ? {} : { failure: { entry: failure.entry, reason: failure.reason, time: failure.time } }),
    ...(boots.length === 0 ? {} : { boots }),
  };
}

/** What people have not merged yet, absolute: they remove each file when they have. */
export async function listUnmerged(root: string): Promise<string[]> {
  const found = await readdir(join(root, unmergedPath), { recursive: true, withFileTypes: true }).catch(() => []);
  return found
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => `/${relative(root, join(parentPath, name))}`)
    .sort();
}

function showSlot(entry: BootEntry, { pointer, running, systems }: MachineView): Slot {
  const { id, slot, reference, digest, kernelVersion, title, created } = entry;
  const roles: Slot['roles'] = [];
  if (running?.id === id) roles.push('running');
  const own = systems.find(({ system }) => system === systemOf(entry));
  if (systems.length > 1 && pointer.good === id) roles.push('default');
  if (own?.good === id) roles.push('good');
  if (own?.previous === id || pointer.previous === id) roles.push('previous');
  if (pointer.trial === id) roles.push('trial');
  return {
    entry: id,
    slot,
    ...(own && { system: own.name }),
    reference,
    digest,
    kernel: kernelVersion,
    title,
    created,
    roles,
  };
}
