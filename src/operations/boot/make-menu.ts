import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { z } from 'zod';
import type { bootMenu, foundSystemSchema } from '../../contract/operations/boot.ts';
import { ImprintError } from '../../foundation/errors.ts';
import type { Task } from '../../foundation/task.ts';
import type { BootWay, FoundSystem } from '../../machine/found-systems.ts';
import { grubPassword } from '../../machine/grub-password.ts';
import { readMenuOptions, renderSystemsMenu, type SystemsMenuOptions } from '../../machine/systems-menu.ts';
import { BootPartition } from '../../system/boot-partition.ts';
import { checkGrubScript } from '../../system/grub-script.ts';
import { readDisks } from '../../system/machine-facts.ts';
import { menuDirectory } from '../../system/menu-place.ts';
import type { Processes } from '../../system/run.ts';
import type { BootContext } from './boot-surroundings.ts';
import { findBootDisk } from './find-boot-disk.ts';
import { type FoundDisks, findSystems } from './find-systems.ts';
import { prepareMaster } from './master-menu.ts';
import { ownSystems, startByItself } from './own-systems.ts';

type Input = z.output<typeof bootMenu.input>;
type Output = z.output<typeof bootMenu.output>;

/** The entry of what Imprint boots, in every menu. */
const ownEntry = 'imprint';

/** What a menu would be, before anything is written. */
export interface PreparedMenu {
  readonly output: Output;
  /** As GRUB reads it. */
  readonly text: string;
  /** True where boot code or an ESP would be written. */
  readonly changesBoot: boolean;
  /** Errors: `boot-partition-missing`, `boot-partition-unfit`, `boot-unproven`, `process-failed`, `disk-full`, `io-failed`. */
  write(task: Task): Promise<Output>;
}

/**
 * Looks for the systems of a machine, and makes the menu that offers them: beside Imprint's own, or with `on` in a menu of its own; writes nothing. What is not
 * said stays as the last menu had it.
 *
 * Errors: `boot-disk-unknown`, `boot-entry-unknown`, `boot-place-unfit`, `usage`, `not-root`, `tool-missing`, `process-failed`.
 */
export async function prepareMenu(context: BootContext, input: Input, task: Task): Promise<PreparedMenu> {
  const { processes, clock, mountAt } = context;
  const found = await findSystems(processes, await disksOf(processes, input.disk), task);
  const { on, undo } = input;
  if (on !== undefined && found.boot !== undefined) {
    const hint = 'Leave --on away: the menu of its boot partition takes other systems in.';
    throw new ImprintError('usage', {
      problem: `Imprint installed ${found.boot.disk}, and its menu starts first.`,
      hint,
    });
  }
  const old = on === undefined ? (found.boot?.menu ?? '') : await readOldMaster(on);
  const ids = [...(on === undefined ? [ownEntry] : []), ...found.systems.map(({ id }) => id)];
  const wish = input.default;
  const own = on !== undefined || wish === undefined || ids.includes(wish) ? [] : await ownNames(context, found);
  const standard = own.find((name) => name === wish);
  const options = joinOptions(readMenuOptions(old), standard === undefined ? input : { ...input, default: ownEntry });
  expectKnown(options, [...ids, ...own]);
  const text =
    on === undefined
      ? renderSystemsMenu(found.systems, options)
      : masterHead + renderSystemsMenu(found.systems, options, 'none');
  await checkGrubScript(processes, text);
  const [first] = found.systems;
  const output: Output = {
    systems: found.systems.map(shown),
    closed: found.closed,
    default: standard ?? options.default ?? (on === undefined ? ownEntry : (first?.id ?? 'nothing')),
    ...(options.timeout === undefined ? {} : { timeout: options.timeout }),
    password: options.password !== undefined,
    locked: options.locked ?? [],
  };
  if (on === undefined) {
    const write = async () => {
      const device = bootDevice(found);
      await using boot = await BootPartition.open(processes, device, { clock, ...(mountAt && { mountAt }) });
      await boot.writeSystemsMenu(text);
      if (standard !== undefined) await startByItself(boot, standard);
      return { ...output, device };
    };
    return { output, text, changesBoot: false, write };
  }
  const master = await prepareMaster(context, { on, menu: text, undo }, task);
  const { steps, left } = master;
  const planned = { ...output, steps: [...steps], left: [...left] };
  const write = async (inner: Task) => {
    await master.apply(inner);
    return { ...planned, device: master.place.device, undo: master.undo };
  };
  return { output: planned, text, changesBoot: true, write };
}

/** Systems that Imprint boots, by name. */
async function ownNames({ processes, clock, mountAt }: BootContext, found: FoundDisks): Promise<string[]> {
  if (found.boot?.device === undefined) return [];
  const options = { clock, readOnly: true, ...(mountAt && { mountAt }) };
  await using boot = await BootPartition.open(processes, found.boot.device, options);
  return (await ownSystems(boot)).map(({ name }) => name);
}

/** Of a menu that is sourced by none. */
const masterHead = 'set timeout_style=menu\nset timeout=5\nset default=0\n';

async function readOldMaster(on: string): Promise<string> {
  return readFile(join(on, menuDirectory, 'grub.cfg'), 'utf8').catch(() => '');
}

/** Errors: `boot-entry-unknown`, `input-invalid`. */
function expectKnown(options: SystemsMenuOptions, known: readonly string[]): void {
  for (const entry of [...(options.default === undefined ? [] : [options.default]), ...(options.locked ?? [])]) {
    if (!known.includes(entry)) throw new ImprintError('boot-entry-unknown', { entry, known: known.join(', ') });
  }
  if ((options.locked ?? []).length > 0 && options.password === undefined) {
    throw new ImprintError('input-invalid', { field: '--lock', problem: 'without a password nothing is locked' });
  }
}

/** A way in words: `its own GRUB (/boot/grub/i386-pc/core.img)`. */
function describeWay(way: BootWay): string {
  switch (way.kind) {
    case 'core':
      return `its own GRUB (${way.path})`;
    case 'menu':
      return `its own menu (${way.path})`;
    case 'record':
      return 'its boot record';
    case 'ntldr':
    case 'efi':
    case 'memtest':
      return way.path;
    case 'kernel':
      return way.kernel;
  }
}

async function disksOf(processes: Processes, wish: string | undefined): Promise<string[]> {
  if (wish !== undefined) return [(await findBootDisk(processes, wish)).path];
  return (await readDisks(processes)).filter(({ removable }) => !removable).map(({ path }) => path);
}

/** What was said now counts; a password that is empty takes the old one away. */
function joinOptions(
  old: SystemsMenuOptions,
  { default: entry, timeout, password, locked }: Input,
): SystemsMenuOptions {
  const { password: kept, ...rest } = old;
  const key = password === undefined ? kept : password === '' ? undefined : grubPassword(password, randomBytes(64));
  return {
    ...rest,
    ...(entry === undefined ? {} : { default: entry }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(locked === undefined ? {} : { locked }),
    ...(key === undefined ? {} : { password: key }),
  };
}

function bootDevice({ boot }: FoundDisks): string {
  if (boot === undefined) {
    throw new ImprintError('boot-partition-missing', {
      problem:
        'no disk that was looked at has a partition labelled IMPRINT-BOOT; for a menu on one that Imprint did not install, name a directory of a shared partition: --on DIRECTORY',
    });
  }
  if (boot.device !== undefined) return boot.device;
  const problem = 'the kernel has no device for it; attach the image first: losetup --partscan --find --show FILE';
  throw new ImprintError('boot-partition-unfit', { device: boot.disk, problem });
}

function shown({ bios, uefi, id, title, disk, partition, remarks }: FoundSystem): z.output<typeof foundSystemSchema> {
  return {
    ...{ id, title, disk, partition, remarks },
    ...(bios === undefined ? {} : { bios: describeWay(bios) }),
    ...(uefi === undefined ? {} : { uefi: describeWay(uefi) }),
  };
}
