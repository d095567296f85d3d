import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import { bootAreas } from '../../machine/boot-areas.ts';
import { describeMendStep } from '../../planning/plan-boot-mend.ts';
import { planMasterMenu } from '../../planning/plan-master-menu.ts';
import { BootDisk } from '../../system/boot-disk.ts';
import { copyGrubModules, grubDirectory, makeCoreFor } from '../../system/grub.ts';
import { grubRead } from '../../system/grub-view.ts';
import { findMenuPlace, type MenuPlace, settleForGrub } from '../../system/menu-place.ts';
import { type BootContext, surroundingsOf } from './boot-surroundings.ts';
import { writeCopy } from './copy-file.ts';
import { findBootDisk } from './find-boot-disk.ts';
import { applyMendStep, proveMend, replacedBy } from './mend-steps.ts';
import { type BootScan, scanBoot } from './scan-boot.ts';

/** A menu of its own on a partition, and what has firmware start it. */
export interface PreparedMaster {
  readonly place: MenuPlace;
  /** In words, in their order. */
  readonly steps: readonly string[];
  readonly left: readonly string[];
  readonly undo: string;
  /** Keeps what is there, writes, reads back. Errors: `boot-unproven`, `disk-full`, `io-failed`, `process-failed`, `tool-missing`. */
  apply(task: Task): Promise<void>;
}

/**
 * Plans a menu in a directory of a partition that is mounted here, and what makes the disk start it; writes nothing. `menu`: the text for GRUB.
 * Errors: `boot-place-unfit`, `not-root`, `tool-missing`, `process-failed`.
 */
export async function prepareMaster(
  context: BootContext,
  { on, menu, undo }: { on: string; menu: string; undo?: string | undefined },
  task: Task,
): Promise<PreparedMaster> {
  const { processes, clock } = context;
  const place = await findMenuPlace(processes, on);
  const { names } = await findBootDisk(processes, place.disk);
  using disk = await BootDisk.open(processes, place.disk, 'read');
  const around = await surroundingsOf(context, disk, names, task.signal);
  const scan = await scanBoot(disk, around);
  const { steps, left } = planMasterMenu(await questionOf(context, disk, scan, place, task));
  const time = new Date(clock.now()).toISOString().replace(/\..*$/, '').replaceAll(/[-:]/g, '').replace('T', '-');
  const kept = resolve(undo ?? `boot-before-${time}.tar.gz`);
  return {
    place,
    steps: [`write the menu, and GRUB’s modules, to ${place.directory}`, ...steps.map(describeMendStep)],
    left,
    undo: kept,
    async apply(inner) {
      using writable = await BootDisk.open(processes, place.disk, 'write');
      await writeCopy(kept, await scanBoot(writable, { ...around, also: replacedBy(steps) }), inner.signal);
      inner.log(`what is there now is kept in ${kept}`);
      await writeMenu(context, place, menu, kept);
      for (const step of steps) {
        inner.log(describeMendStep(step));
        await applyMendStep(context, writable, step);
        await writable.flush();
      }
      await proveMend(writable, steps, around, kept);
    },
  };
}

async function questionOf(
  { processes }: BootContext,
  disk: BootDisk,
  { structure, record }: BootScan,
  { uuid, path: prefix, module }: MenuPlace,
  task: Task,
) {
  const place = { uuid, prefix, modules: ['part_gpt', 'part_msdos', module] };
  const make = (platform: 'i386-pc' | 'x86_64-efi') => makeCoreFor(processes, platform, place, undefined, task.signal);
  const gap = bootAreas(structure).find(({ part }) => part === 'gap');
  const kernel = await disk.kernelPartitions();
  return {
    structure,
    ...(gap === undefined ? {} : { gap }),
    bios: { core: await make('i386-pc'), boot: await readFile(join(grubDirectory, 'i386-pc/boot.img')) },
    uefi: await make('x86_64-efi'),
    programs: new Map(
      record.volumes.map(({ partition, files }) => [partition, files.map(({ path }) => path.toLowerCase())]),
    ),
    mounted: new Map(
      kernel.flatMap(({ number, mountPoints: [point] }) => (point === undefined ? [] : [[number, point]])),
    ),
  };
}

/** The menu is there whole, as GRUB reads it, before anything starts it. */
async function writeMenu({ processes }: BootContext, place: MenuPlace, menu: string, undo: string): Promise<void> {
  await mkdir(place.directory, { recursive: true });
  await copyGrubModules(place.directory);
  const file = join(place.directory, 'grub.cfg');
  await writeFile(`${file}.new`, menu);
  await rename(`${file}.new`, file);
  await settleForGrub(processes, place);
  const seen = await grubRead(processes, { path: place.device, device: '(loop0)' }, `${place.path}/grub.cfg`);
  if (seen !== menu)
    throw new ImprintError('boot-unproven', {
      disk: place.disk,
      problem: 'GRUB reads another menu than was written',
      undo,
    });
}
